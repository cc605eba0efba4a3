package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"omnibus/bus/sigv4"
	_ "omnibus/internal/cleanenv"
)

func TestCommandLine(t *testing.T) {
	for _, test := range []struct {
		args   string
		status int
		want   string
	}{
		{"-h", 0, "-allow-remote"},
		{"-addr 0.0.0.0:9324", exitUsage, "-addr 0.0.0.0:9324 is not a loopback address"},
		{"-addr :9324", exitUsage, "-addr :9324 is not a loopback address"},
		{"-addr 192.168.1.1:9324", exitUsage, "is not a loopback address"},
		{"-addr example.com:9324", exitUsage, "is not a loopback address"},
		{"-addr 127.0.0.1", exitUsage, "missing port"},
		{"-addr example.com:99999 -allow-remote", exitFailed, "invalid port"},
		{"-keys none.txt", exitUsage, "-keys open none.txt"},
		{"-host http://a", exitUsage, "-host http://a is not the name of a host"},
		{"-host a:9324", exitUsage, "is not the name of a host"},
		{"-host a,,b", exitUsage, "is not the name of a host"},
		{"-cors localhost:3000", exitUsage, "-cors localhost:3000 is not an origin"},
		{"-cors http://localhost:3000/", exitUsage, "is not an origin"},
		{"-account 12", exitUsage, `account "12" is not 12 digits`},
		{"-region US", exitUsage, `region "US"`},
		{"-data=", exitUsage, "-data is empty"},
		{"-sync=false", exitUsage, "-sync=false is for -data"},
		{"-nonsense", exitUsage, "flag provided but not defined"},
		{"queues.json", exitUsage, `unexpected argument "queues.json"`},
		{"-addr 127.0.0.1:0 -queues none.json", exitFailed, "none.json"},
	} {
		var out bytes.Buffer
		if status := run(t.Context(), strings.Fields(test.args), &out, &out); status != test.status || !strings.Contains(out.String(), test.want) {
			t.Errorf("sqsd %s: status %d, %s; want %d, %s", test.args, status, out.String(), test.status, test.want)
		}
	}
}

func TestTheEnvironmentSetsWhatTheCommandLineLeavesOut(t *testing.T) {
	t.Setenv("SQSD_ACCOUNT", "123456789012")
	t.Setenv("SQSD_ALLOW_REMOTE", "true")
	t.Setenv("SQSD_ADDR", "0.0.0.0:1")
	t.Setenv("SQSD_HOST", "a,b")
	t.Setenv("SQSD_QUEUES", "")
	c, err := parse([]string{"-addr", "0.0.0.0:0"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if c.account != "123456789012" || !c.allowRemote || c.addr != "0.0.0.0:0" || !slices.Equal(c.hosts, []string{"a", "b"}) {
		t.Errorf("%+v", c)
	}
	t.Setenv("SQSD_LENIENT", "maybe")
	if _, err := parse(nil, io.Discard); err == nil || !strings.Contains(err.Error(), "SQSD_LENIENT=maybe") {
		t.Error(err)
	}
}

func TestTheDefaultRegionIsThatOfTheSDKs(t *testing.T) {
	for _, test := range []struct{ variable, value, want string }{
		{"", "", "us-east-1"}, {"AWS_DEFAULT_REGION", "eu-west-1", "eu-west-1"}, {"AWS_REGION", "us-west-2", "us-west-2"}, {"SQSD_REGION", "eu-north-1", "eu-north-1"},
	} {
		if test.variable != "" {
			t.Setenv(test.variable, test.value) // beside those before
		}
		if c, err := parse(nil, io.Discard); err != nil || c.region != test.want {
			t.Errorf("with %s=%s the region is %+v, %v", test.variable, test.value, c, err)
		}
	}
}

func TestAllowRemoteWarns(t *testing.T) {
	for _, test := range []struct {
		addr         string
		keys         sigv4.Keys
		remote, warn bool
	}{
		{"127.0.0.1", nil, false, false}, {"::1", nil, false, false}, {"::ffff:127.0.0.1", nil, false, false},
		{"0.0.0.0", nil, true, true}, {"::", nil, true, true}, {"192.0.2.1", nil, true, true}, {"192.0.2.1", sigv4.Keys{}, true, false},
	} {
		var errs strings.Builder
		c := &config{addr: test.addr, keys: test.keys}
		remote := c.remote(netip.MustParseAddr(test.addr), &errs)
		if remote != test.remote || strings.Contains(errs.String(), "warning: all who reach "+test.addr+" may use it") != test.warn {
			t.Errorf("%s: other machines reach it: %t; %s", test.addr, remote, errs.String())
		}
	}
}

func TestThriftLeavesWhatTheEnvironmentSays(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(3))
	for env, want := range map[string]int{"3": 3, "": 1} {
		runtime.GOMAXPROCS(3)
		t.Setenv("GOMAXPROCS", env)
		thrift()
		if n := runtime.GOMAXPROCS(0); n != want {
			t.Errorf("GOMAXPROCS=%s: %d processors; want %d", env, n, want)
		}
	}
}

func TestTakenPortIsAnError(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var out bytes.Buffer
	if status := run(t.Context(), []string{"-addr", l.Addr().String()}, &out, &out); status != exitFailed || !strings.Contains(out.String(), "in use") {
		t.Errorf("status %d, %s", status, out.String())
	}
}

// daemon is a running sqsd.
type daemon struct {
	t    *testing.T
	base string // http://127.0.0.1:port
	bus  string // what it prints as BUS_URL
	stop context.CancelFunc
	done chan int
}

func start(t *testing.T, args ...string) *daemon {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	r, w := io.Pipe()
	d := &daemon{t: t, stop: stop, done: make(chan int, 1)}
	go func() {
		d.done <- run(ctx, append([]string{"-addr", "127.0.0.1:0"}, args...), w, w)
		w.Close()
	}()
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if base, ok := strings.CutPrefix(lines.Text(), "sqsd: listening on "); ok {
			d.base, _, _ = strings.Cut(base, ",")
		}
		if bus, ok := strings.CutPrefix(lines.Text(), "BUS_URL="); ok {
			d.bus = strings.TrimSuffix(bus, " omnibus create")
			go io.Copy(io.Discard, r)
			t.Cleanup(stop)
			return d
		}
	}
	t.Fatalf("sqsd ended: %d", <-d.done)
	return nil
}

// call sends a form to the queue at a URL.
func (d *daemon) call(url, form string) string {
	d.t.Helper()
	resp, err := http.Post(url, "application/x-www-form-urlencoded", strings.NewReader(form))
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return string(answer)
}

func TestLenientPurgesTwice(t *testing.T) {
	for flag, want := range map[string]bool{"-lenient=false": false, "-lenient": true} {
		d := start(t, flag)
		d.call(d.base, "Action=CreateQueue&QueueName=donors")
		d.call(d.bus, "Action=PurgeQueue")
		if got := d.call(d.bus, "Action=PurgeQueue"); strings.Contains(got, "PurgeQueueResponse") != want {
			t.Errorf("%s: %s", flag, got)
		}
	}
}

func TestSignalDrains(t *testing.T) {
	d := start(t)
	d.call(d.base, "Action=CreateQueue&QueueName=donors")
	answer := make(chan string, 1)
	go func() { answer <- d.call(d.bus, "Action=ReceiveMessage&WaitTimeSeconds=20") }()
	time.Sleep(50 * time.Millisecond) // real time: the poll is on a socket
	begun := time.Now()
	d.stop()
	if got := <-answer; !strings.Contains(got, "<ReceiveMessageResult></ReceiveMessageResult>") {
		t.Errorf("the poll was answered %s", got)
	}
	if status := <-d.done; status != 0 || time.Since(begun) > 2*time.Second {
		t.Errorf("status %d after %v", status, time.Since(begun))
	}
}
