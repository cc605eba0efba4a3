package sqsbus

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gocloud.dev/pubsub"

	"omnibus/bus"
)

// A partition is one of the SDK's own data.
type partition struct {
	Outputs struct{ DNSSuffix string }
	Regions map[string]any
}

func partitions(t *testing.T) []partition {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/aws/aws-sdk-go-v2").Output()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "internal/endpoints/awsrulesfn/partitions.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all struct{ Partitions []partition }
	if err := json.Unmarshal(text, &all); err != nil || len(all.Partitions) < 8 {
		t.Fatalf("%d partitions, %v", len(all.Partitions), err)
	}
	return all.Partitions
}

func TestTheRegionIsThatOfTheHostInEveryPartition(t *testing.T) {
	for _, p := range partitions(t) {
		for region := range p.Regions {
			if strings.HasSuffix(region, "-global") {
				continue // of services that have no regions
			}
			hosts := []string{region + ".queue." + p.Outputs.DNSSuffix}
			for _, dualStack := range []bool{false, true} {
				for _, fips := range []bool{false, true} {
					host := awsHost(region, fips, dualStack)
					service, suffix, _ := strings.Cut(host, "."+region+".")
					if !strings.HasPrefix(service, "sqs") || suffix == "" {
						t.Errorf("%s: the SDK sends to %q", region, host)
					}
					hosts = append(hosts, host, strings.ToUpper(host), "vpce-0a-1b."+service+"."+region+".vpce."+suffix)
					if fips && !isFIPS(host) {
						t.Errorf("%s is no FIPS endpoint", host)
					}
				}
			}
			for _, host := range hosts {
				if got := regionOf(host); got != region {
					t.Errorf("%s is taken to be in region %q; want %s", host, got, region)
				}
			}
		}
	}
	for _, host := range []string{
		"", "localhost", "sqs", "sqs.us-east-1", "sqs.us-east-1.amazonaws.com.example.com", "sqs.eu-west-1.amazonaws.com.cn",
		"sqs.us-east-1.localhost.localstack.cloud", "sns.us-east-1.amazonaws.com", "a.queue.example.com", "queue.amazonaws.com.cn",
		"vpce-1.sqs.example.com", "vpce-", "sqs..amazonaws.com",
	} {
		if got := regionOf(host); got != "" {
			t.Errorf("%q is taken to be in region %q", host, got)
		}
	}
	if got := regionOf("queue.amazonaws.com"); got != "us-east-1" {
		t.Errorf("queue.amazonaws.com is taken to be in %q", got)
	}
}

// A post is a recorder of where requests go and how they are signed.
type post struct {
	mu     sync.Mutex // guards url and signed
	url    string
	signed string // region
}

func (p *post) Do(r *http.Request) (*http.Response, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.url = r.URL.String()
	_, scope, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	if parts := strings.Split(scope, "/"); len(parts) > 2 {
		p.signed = parts[2]
	}
	return &http.Response{
		StatusCode: http.StatusForbidden,
		Header:     http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
		Body:       io.NopCloser(strings.NewReader(`{"__type":"com.amazonaws.sqs#AccessDenied"}`)),
	}, nil
}

// where opens the URL and returns where its requests go.
func where(t *testing.T, url string, log *slog.Logger) (to, signed string) {
	t.Helper()
	p := new(post)
	var mux bus.Mux
	New(&Options{HTTPClient: p, Logger: log}).Register(&mux)
	q, err := mux.Open(t.Context(), url)
	if err != nil {
		t.Errorf("%s: %v", url, err)
		return "", ""
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := q.Topic.Send(ctx, &pubsub.Message{Body: []byte("x")}); err == nil {
		t.Errorf("%s: a send that was refused succeeds", url)
	}
	_ = q.Shutdown(ctx)
	return p.url, p.signed
}

func TestRequestsGoWhereTheURLSaysWhateverIsConfigured(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "k")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "s")
	for _, variable := range []string{
		"NONE=", "AWS_USE_FIPS_ENDPOINT=true", "AWS_USE_DUALSTACK_ENDPOINT=true", "AWS_REGION=eu-west-3",
		"AWS_ENDPOINT_URL=https://elsewhere.example.com", "AWS_ENDPOINT_URL_SQS=https://elsewhere.example.com",
	} {
		t.Run(variable, func(t *testing.T) {
			name, value, _ := strings.Cut(variable, "=")
			t.Setenv(name, value)
			for _, c := range []struct{ url, to, region string }{
				{"https://sqs.us-west-2.amazonaws.com/1/d", "https://sqs.us-west-2.amazonaws.com/", "us-west-2"},
				{"https://sqs-fips.us-west-2.amazonaws.com/1/d", "https://sqs-fips.us-west-2.amazonaws.com/", "us-west-2"},
				{"https://sqs.us-west-2.api.aws/1/d?fips=false", "https://sqs.us-west-2.api.aws/", "us-west-2"},
				{"https://sqs.eusc-de-east-1.amazonaws.eu/1/d", "https://sqs.eusc-de-east-1.amazonaws.eu/", "eusc-de-east-1"},
				{"https://SQS.us-iso-east-1.C2S.ic.gov/1/d", "https://sqs.us-iso-east-1.c2s.ic.gov/", "us-iso-east-1"},
				{"https://vpce-0a-1b.sqs.us-east-2.vpce.amazonaws.com/1/d", "https://vpce-0a-1b.sqs.us-east-2.vpce.amazonaws.com/", "us-east-2"},
				{"awssqs://vpce-0a-1b.sqs.us-east-2.vpce.amazonaws.com/1/d", "https://vpce-0a-1b.sqs.us-east-2.vpce.amazonaws.com/", "us-east-2"},
				{"awssqs://sqs.us-west-2.amazonaws.com/1/d?endpoint=https://gateway.example.com/sqs", "https://gateway.example.com/sqs", "us-west-2"},
				{"https://sqs.example.com/1/d?region=eu-west-1", "https://sqs.example.com/", "eu-west-1"},
				{"awssns:///" + topicARN + "?endpoint=https://sns.example.com", "https://sns.example.com/", "us-east-1"},
			} {
				if to, region := where(t, c.url, nil); to != c.to || region != c.region {
					t.Errorf("%s: requests go to %s, signed for %s; want %s, %s", c.url, to, region, c.to, c.region)
				}
			}
		})
	}
}

func TestAWSSQSLeavesTheChoiceOfAnEndpointToTheSDK(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "k")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "s")
	const queue = "awssqs://sqs.us-west-2.amazonaws.com/1/d"
	for url, want := range map[string]string{
		queue:                               "https://sqs.us-west-2.amazonaws.com/",
		queue + "?fips=true":                "https://sqs-fips.us-west-2.amazonaws.com/",
		queue + "?dualstack=true":           "https://sqs.us-west-2.api.aws/",
		queue + "?fips=true&dualstack=1":    "https://sqs-fips.us-west-2.api.aws/",
		"awssns:///" + topicARN + "?fips=1": "https://sns-fips.us-east-1.amazonaws.com/",
	} {
		if to, _ := where(t, url, nil); to != want {
			t.Errorf("%s: requests go to %s; want %s", url, to, want)
		}
	}
	t.Setenv("AWS_USE_FIPS_ENDPOINT", "true")
	if to, _ := where(t, queue, nil); to != "https://sqs-fips.us-west-2.amazonaws.com/" {
		t.Errorf("with FIPS endpoints configured, requests go to %s", to)
	}
}

func TestAURLThatNamesNoFIPSEndpointWhereFIPSIsConfiguredIsLogged(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "k")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "s")
	t.Setenv("AWS_USE_FIPS_ENDPOINT", "true")
	for url, want := range map[string]bool{
		"https://sqs.us-west-2.amazonaws.com/1/d":      true,
		"https://sqs-fips.us-west-2.amazonaws.com/1/d": false,
		"https://sqs.us-gov-west-1.amazonaws.com/1/d":  false, // it is one
		testQueue: false,
	} {
		var log bytes.Buffer
		where(t, url, slog.New(slog.NewTextHandler(&log, nil)))
		if got := strings.Contains(log.String(), "FIPS"); got != want {
			t.Errorf("%s: logged %t: %s", url, got, &log)
		}
	}
}
