package sqsbus

import (
	"bytes"
	"context"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"gocloud.dev/gcerrors"

	"omnibus/bus"
	"omnibus/bus/driver"
	_ "omnibus/internal/cleanenv"
)

func TestURLs(t *testing.T) {
	for _, c := range []struct {
		url, queue, endpoint, region string
	}{
		{"awssqs://sqs.us-east-1.amazonaws.com/123456789012/donors?region=us-east-1", "https://sqs.us-east-1.amazonaws.com/123456789012/donors", "", "us-east-1"},
		{"awssqs://sqs.eu-west-3.amazonaws.com/123456789012/donors", "https://sqs.eu-west-3.amazonaws.com/123456789012/donors", "", "eu-west-3"},
		{"awssqs://sqs.us-east-1.amazonaws.com/1/d?endpoint=https://vpce-1.example.com/", "https://sqs.us-east-1.amazonaws.com/1/d", "https://vpce-1.example.com", "us-east-1"},
		{"awssqs://127.0.0.1:9324/000000000000/donors", "http://127.0.0.1:9324/000000000000/donors", "http://127.0.0.1:9324", ""},
		{"awssqs://sqs.test:9324/0/donors?endpoint=http://sqs.test:9324", "http://sqs.test:9324/0/donors", "http://sqs.test:9324", ""},
		{"https://sqs.us-west-2.amazonaws.com/123456789012/donors.fifo", "https://sqs.us-west-2.amazonaws.com/123456789012/donors.fifo", "https://sqs.us-west-2.amazonaws.com", "us-west-2"},
		{"https://sqs.cn-north-1.amazonaws.com.cn/1/d", "https://sqs.cn-north-1.amazonaws.com.cn/1/d", "https://sqs.cn-north-1.amazonaws.com.cn", "cn-north-1"},
		{"https://us-west-2.queue.amazonaws.com/1/d", "https://us-west-2.queue.amazonaws.com/1/d", "https://us-west-2.queue.amazonaws.com", "us-west-2"},
		{"https://queue.amazonaws.com/1/d", "https://queue.amazonaws.com/1/d", "https://queue.amazonaws.com", "us-east-1"},
		{"https://vpce-0a-1b.sqs.us-east-2.vpce.amazonaws.com/1/d", "https://vpce-0a-1b.sqs.us-east-2.vpce.amazonaws.com/1/d", "https://vpce-0a-1b.sqs.us-east-2.vpce.amazonaws.com", "us-east-2"},
		{"http://127.0.0.1:9324/000000000000/donors", "http://127.0.0.1:9324/000000000000/donors", "http://127.0.0.1:9324", ""},
		{"https://SQS.US-EAST-1.AMAZONAWS.COM/1/Donors", "https://sqs.us-east-1.amazonaws.com/1/Donors", "https://sqs.us-east-1.amazonaws.com", "us-east-1"},
		{"awssqs://SQS.us-east-1.amazonaws.com/1/d", "https://sqs.us-east-1.amazonaws.com/1/d", "", "us-east-1"},
		{"awssqs://sqs-fips.us-east-1.amazonaws.com/1/d", "https://sqs-fips.us-east-1.amazonaws.com/1/d", "https://sqs-fips.us-east-1.amazonaws.com", "us-east-1"},
		{"awssqs://sqs.us-east-1.api.aws/1/d", "https://sqs.us-east-1.api.aws/1/d", "https://sqs.us-east-1.api.aws", "us-east-1"},
		{"https://sqs.example.com/1/d?endpoint=https://vpce-0a-1b.sqs.us-east-2.vpce.amazonaws.com", "https://sqs.example.com/1/d", "https://vpce-0a-1b.sqs.us-east-2.vpce.amazonaws.com", "us-east-2"},
		{"https://gateway.example.com/sqs/1/d?endpoint=https://Gateway.example.com/sqs/&region=eu-west-1", "https://gateway.example.com/sqs/1/d", "https://gateway.example.com/sqs", "eu-west-1"},
		{"http://[::1]:9324/queue/donors?region=x", "http://[::1]:9324/queue/donors", "http://[::1]:9324", "x"},
	} {
		a, err := parse(mustParse(t, c.url), false)
		if err != nil {
			t.Errorf("%s: %v", c.url, err)
			continue
		}
		if a.queue != c.queue || a.endpoint != c.endpoint || a.region != c.region {
			t.Errorf("%s gives queue %s, endpoint %q, region %q", c.url, a.queue, a.endpoint, a.region)
		}
	}
}

func TestSecretsInURLsAreNotShown(t *testing.T) {
	const secret = "PW-s3cr3t"
	var log bytes.Buffer
	b := New(&Options{HTTPClient: newEndpoint(), Logger: slog.New(slog.NewTextHandler(&log, nil))})
	var mux bus.Mux
	b.Register(&mux)
	for _, url := range []string{
		testQueue + "?endpoint=http://u:" + secret + "@host", testQueue + "?endpoint=http://host?token=" + secret,
		testQueue + "?endpoint=http://u:" + secret + "/@host", testQueue + "?password=" + secret, testQueue + "?X-Amz-Security-Token=" + secret,
		testQueue + "?wait=u:" + secret + "@host", testQueue + "/u:" + secret + "@host", "http://u:" + secret + "@127.0.0.1:9324/0/donors",
		"awssqs:///u:" + secret + "@127.0.0.1/0/donors", "awssns:///u:" + secret + "@host", "awssns:///" + topicARN + "?secret=" + secret,
		testQueue + "?role=u:" + secret + "@host", testQueue + "?region=http://u:" + secret + "@host", testQueue + "#" + secret,
	} {
		_, openErr := mux.Open(t.Context(), url)
		_, createErr := mux.Create(t.Context(), url, bus.QueueSettings{})
		_, listErr := mux.List(t.Context(), url, "")
		_, tagsErr := b.Tags(t.Context(), url)
		for what, err := range map[string]error{"open": openErr, "create": createErr, "list": listErr, "tags": tagsErr} {
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("%s %s: %v", what, url, err)
			}
		}
	}
	if strings.Contains(log.String(), secret) {
		t.Errorf("logged is %s", &log)
	}
}

func mustParse(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestBadURLsAreRefusedWithWhatIsAllowed(t *testing.T) {
	var mux bus.Mux
	newEndpoint().backend().Register(&mux)
	for _, c := range []struct {
		url   string
		parts []string
	}{
		{testQueue + "?nonsense=1", []string{"nonsense", "visibility", "wait"}},
		{testQueue + "?visibility=43201s", []string{"visibility=43201s", ">= 0 and <= 43200"}},
		{testQueue + "?visibility=-1s", []string{">= 0 and <= 43200"}},
		{testQueue + "?visibility=1500ms", []string{"whole seconds"}},
		{testQueue + "?visibility=soon", []string{"5s"}},
		{testQueue + "?visibility=1s&visibility=2s", []string{"2 times"}},
		{testQueue + "?wait=21s", []string{">= 0 and <= 20"}},
		{testQueue + "?wait=1.5s", []string{"whole seconds"}},
		{testQueue + "?waittime=21s", []string{">= 0 and <= 20"}},
		{testQueue + "?wait=1s&waittime=1s", []string{"give one"}},
		{testQueue + "?nackdelay=5s", []string{"unknown parameter", "nackdelay"}},
		{testQueue + "?raw=perhaps", []string{"true or false"}},
		{testQueue + "?raw=2", []string{"true or false"}},
		{testQueue + "?raw=false", []string{"snstopicarn"}},
		{testQueue + "?raw=true&snstopicarn=" + topicARN, []string{"exclude"}},
		{testQueue + "?snstopicarn=donations", []string{"arn:aws:sns"}},
		{testQueue + "?endpoint=127.0.0.1", []string{"http://127.0.0.1:9324"}},
		{testQueue + "?rate_limiter_capacity=5", []string{"rate_limiter_capacity"}},
		{testQueue + "?region=", []string{"region", "empty"}},
		{testQueue + "?driver=fast", []string{"want stock"}},
		{testQueue + "?driver=stock&visibility=5s", []string{"visibility", "driver=stock"}},
		{"awssns:///" + topicARN + "?driver=stock", []string{"unknown parameter", "driver"}},
		{testQueue + "?fips=true", []string{"fips", "requests go to http://127.0.0.1:9324", "awssqs://sqs.REGION"}},
		{testQueue + "?dualstack=1", []string{"dualstack", "requests go to http://127.0.0.1:9324"}},
		{"awssqs://sqs.us-east-1.amazonaws.com/1/d?fips=true&endpoint=http://127.0.0.1:9324", []string{"fips", "http://127.0.0.1:9324"}},
		{"awssqs://sqs-fips.us-east-1.amazonaws.com/1/d?dualstack=true", []string{"dualstack", "sqs-fips"}},
		{"awssns:///" + topicARN + "?fips=true&endpoint=http://127.0.0.1:9324", []string{"fips"}},
		{testQueue + "?hostname_immutable=true", []string{"endpoint is not given"}},
		{"https://sqs.us-east-1.amazonaws.com/1/d?region=us-east-2", []string{"region=us-east-2", "us-east-1"}},
		{"awssns:///" + topicARN + "?region=us-east-2", []string{"region=us-east-2", "us-east-1"}},
		{testQueue + "?endpoint=http://127.0.0.1:9324/%23x", []string{"http://127.0.0.1:9324"}},
		{testQueue + "#fragment", []string{"fragment"}},
		{testOrigin + "/donors", []string{"HOST/ACCOUNT/NAME"}},
		{testOrigin + "/", []string{"queue name"}},
		{testOrigin + "/1/with!mark", []string{"with!mark", "alphanumeric"}},
		{"awssqs:///1/donors", []string{"HOST/ACCOUNT/NAME"}},
		{"awssns:///donations", []string{"arn:aws:sns:REGION"}},
		{"awssns:///" + topicARN + "?visibility=5s", []string{"visibility", "endpoint"}},
	} {
		_, err := mux.Open(t.Context(), c.url)
		check(t, c.url, err, gcerrors.InvalidArgument)
		for _, part := range c.parts {
			if err != nil && !strings.Contains(err.Error(), part) {
				t.Errorf("%s: the error does not say %q: %v", c.url, part, err)
			}
		}
	}
}

func TestParameters(t *testing.T) {
	a, err := parse(mustParse(t, testQueue+"?visibility=5s&waittime=10s&snstopicarn="+topicARN+"&region=eu-west-1&profile=p&dualstack=false"), false)
	if err != nil {
		t.Fatal(err)
	}
	if *a.receive.visibility != 5*time.Second || a.receive.wait != 10*time.Second || a.sns != topicARN || a.config.Get("profile") != "p" {
		t.Errorf("%+v", a)
	}
}

func TestALoopbackEndpointNeedsNoConfiguration(t *testing.T) {
	b := New(nil)
	a, err := parse(mustParse(t, testQueue), false)
	if err != nil {
		t.Fatal(err)
	}
	cfg, _, err := b.configure(context.Background(), a)
	if err != nil {
		t.Fatal(err)
	}
	if c, err := cfg.Credentials.Retrieve(t.Context()); cfg.Region != localRegion || err != nil || c.AccessKeyID != localKey {
		t.Errorf("region %s, credentials %v, %v", cfg.Region, c.AccessKeyID, err)
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "mine")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_REGION", "eu-west-1")
	if cfg, _, err = b.configure(context.Background(), a); err != nil {
		t.Fatal(err)
	}
	if c, _ := cfg.Credentials.Retrieve(t.Context()); cfg.Region != "eu-west-1" || c.AccessKeyID != "mine" {
		t.Errorf("region %s, credentials %v: not those of the environment", cfg.Region, c.AccessKeyID)
	}
}

// Programmers who work on AWS have a login that expires daily; an endpoint on their own
// machine does not care.
func TestALoopbackEndpointNeedsNoLogin(t *testing.T) {
	home := t.TempDir() // without the token of a login
	config := filepath.Join(home, "config")
	if err := os.WriteFile(config, []byte(`
[profile work]
region = eu-west-1
sso_start_url = https://example.com/start
sso_region = eu-west-1
sso_account_id = 111122223333
sso_role_name = developer
`), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOME", home)
	t.Setenv("USERPROFILE", home) // on Windows
	t.Setenv("AWS_CONFIG_FILE", config)
	t.Setenv("AWS_PROFILE", "work")
	var log bytes.Buffer
	b := New(&Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	credentials := func(queue string) (aws.Config, aws.Credentials, error) {
		a, err := parse(mustParse(t, queue), false)
		if err != nil {
			t.Fatal(err)
		}
		cfg, _, err := b.configure(context.Background(), a)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = cfg.Credentials.Retrieve(t.Context()) // the log is to tell it once
		c, err := cfg.Credentials.Retrieve(t.Context())
		return cfg, c, err
	}
	cfg, c, err := credentials(testQueue)
	if cfg.Region != "eu-west-1" || err != nil || c.AccessKeyID != localKey {
		t.Errorf("region %s, credentials %v, %v", cfg.Region, c.AccessKeyID, err)
	}
	if said := log.String(); strings.Count(said, "\n") != 1 || !strings.Contains(said, "SSO") {
		t.Errorf("logged %q; want once why the credentials are made up", said)
	}
	if _, c, err := credentials("https://sqs.eu-west-1.amazonaws.com/111122223333/q"); err == nil {
		t.Errorf("a queue of AWS gets the credentials %s", c.AccessKeyID)
	}
}

func TestElsewhereTheSDKsChainDecides(t *testing.T) {
	var mux bus.Mux
	New(nil).Register(&mux)
	_, err := mux.Open(t.Context(), "https://sqs.example.com/1/donors")
	check(t, "open without a region", err, gcerrors.InvalidArgument)
	q, err := mux.Open(t.Context(), "https://sqs.us-east-1.amazonaws.com/1/donors") // lazily: no request is made
	if err != nil {
		t.Fatal(err)
	}
	shutDown(t, q)
}

func TestAGivenConfiguration(t *testing.T) {
	e := newEndpoint()
	cfg := aws.Config{Region: "eu-west-1", Credentials: credentials.NewStaticCredentialsProvider("k", "s", "")}
	b := New(&Options{HTTPClient: e, Config: &cfg})
	a, _ := parse(mustParse(t, testQueue+"?region=us-west-1"), false)
	got, _, err := b.configure(t.Context(), a)
	if err != nil || got.Region != "us-west-1" || cfg.Region != "eu-west-1" {
		t.Errorf("region %s, %v; the one given has %s", got.Region, err, cfg.Region)
	}
	a, _ = parse(mustParse(t, testQueue+"?profile=p"), false)
	if _, _, err := b.configure(t.Context(), a); err == nil {
		t.Error("a profile is accepted beside a configuration")
	}
}

func TestSchemesAreRegisteredOnTheDefaultMux(t *testing.T) {
	if got := strings.Join(bus.DefaultMux().Schemes(), " "); got != "awssns awssqs http https" {
		t.Errorf("registered are %s", got)
	}
	if local, err := bus.DefaultMux().Local(testQueue); local || err != nil {
		t.Errorf("Local gives %t, %v", local, err)
	}
	var _ driver.Creator = Default()
	var _ driver.Lister = Default()
}
