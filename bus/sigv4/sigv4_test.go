package sigv4_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"omnibus/bus/sigv4"
)

var (
	keys = sigv4.Keys{"AKIDDONORS": "a secret", "AKIDOTHER": "another"}
	noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
)

const body = `{"QueueUrl":"http://sqs.test/000000000000/donors"}`

// request is a request that its client has not signed yet.
func request(t *testing.T, method, target, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func hash(body string) string {
	sum := sha256.Sum256([]byte(body))
	return hex.EncodeToString(sum[:])
}

// sign signs as the SDK does.
func sign(t *testing.T, r *http.Request, body, id, secret string) {
	t.Helper()
	err := v4.NewSigner().SignHTTP(t.Context(), aws.Credentials{AccessKeyID: id, SecretAccessKey: secret}, r, hash(body), "sqs", "us-east-1", noon)
	if err != nil {
		t.Fatal(err)
	}
}

// presign returns a URL that the SDK has signed.
func presign(t *testing.T, method, target, body string) string {
	t.Helper()
	signed, _, err := v4.NewSigner().PresignHTTP(t.Context(), aws.Credentials{AccessKeyID: "AKIDDONORS", SecretAccessKey: "a secret"}, request(t, method, target, body), hash(body), "sqs", "us-east-1", noon)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// arrive returns a request as a server reads it.
func arrive(t *testing.T, r *http.Request) *http.Request {
	t.Helper()
	var wire bytes.Buffer
	if err := r.Write(&wire); err != nil {
		t.Fatal(err)
	}
	in, err := http.ReadRequest(bufio.NewReader(&wire))
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func TestWhatTheSDKSignsIsTaken(t *testing.T) {
	for _, test := range []struct{ method, target, body string }{
		{"POST", "http://sqs.test/", body},
		{"POST", "http://sqs.test:9324/000000000000/donors", "Action=SendMessage&MessageBody=a+%2B%26b"},
		{"POST", "http://sqs.test/", ""},
		{"GET", "http://127.0.0.1:9324/000000000000/donors?Action=SendMessage&MessageBody=a%20b%2Bc~%C3%A9&A=1&A=0&B", ""},
		{"POST", "http://sqs.test/a%20b/%C3%A9(1)*/x", "x"},
		{"POST", "http://sqs.test", "x"},
	} {
		r := request(t, test.method, test.target, test.body)
		r.Header.Set("X-Amz-Target", "AmazonSQS.PurgeQueue")
		r.Header.Set("X-Amz-Note", "  two   spaces ")
		sign(t, r, test.body, "AKIDDONORS", "a secret")
		if err := keys.Verify(arrive(t, r), []byte(test.body), noon.Add(time.Minute)); err != nil {
			t.Errorf("%s %s: %v", test.method, test.target, err)
		}
	}
}

// Our own signature is the one that the SDK makes.
func TestSignSignsAsTheSDKDoes(t *testing.T) {
	for _, target := range []string{"", "AmazonSQS.SendMessage"} {
		ours, theirs := request(t, "POST", "http://h:9324/", "a body"), request(t, "POST", "http://h:9324/", "a body")
		for _, r := range []*http.Request{ours, theirs} {
			r.Header = http.Header{}
			if target != "" {
				r.Header.Set("X-Amz-Target", target)
			}
		}
		if err := sigv4.Sign(ours, []byte("a body"), "AKIDDONORS", "a secret", "us-east-1", "sqs", noon); err != nil {
			t.Fatal(err)
		}
		theirs.ContentLength = 0 // which the SDK would sign too
		sign(t, theirs, "a body", "AKIDDONORS", "a secret")
		if got, want := ours.Header.Get("Authorization"), theirs.Header.Get("Authorization"); got != want {
			t.Errorf("signed as\n%s\nthe SDK signs\n%s", got, want)
		}
	}
}

func TestWhatIsNotSignedByAKeyIsRefused(t *testing.T) {
	for _, test := range []struct {
		what   string
		change func(r *http.Request)
		body   string
		at     time.Time
		want   error
	}{
		{"no signature", func(r *http.Request) { r.Header.Del("Authorization") }, body, noon, sigv4.ErrMissing},
		{"another body", func(*http.Request) {}, body + " ", noon, sigv4.ErrMismatch},
		{"another action", func(r *http.Request) { r.Header.Set("X-Amz-Target", "AmazonSQS.DeleteQueue") }, body, noon, sigv4.ErrMismatch},
		{"another host", func(r *http.Request) { r.Host = "other.test" }, body, noon, sigv4.ErrMismatch},
		{"another path", func(r *http.Request) { r.URL.Path = "/000000000000/other" }, body, noon, sigv4.ErrMismatch},
		{"another query", func(r *http.Request) { r.URL.RawQuery = "Action=PurgeQueue" }, body, noon, sigv4.ErrMismatch},
		{"another method", func(r *http.Request) { r.Method = "GET" }, body, noon, sigv4.ErrMismatch},
		{"another time", func(r *http.Request) { r.Header.Set("X-Amz-Date", "20260304T120100Z") }, body, noon, sigv4.ErrMismatch},
		{"another region", replace("us-east-1", "eu-west-1"), body, noon, sigv4.ErrMismatch},
		{"another key", replace("AKIDDONORS", "AKIDOTHER"), body, noon, sigv4.ErrMismatch},
		{"a key that is not known", replace("AKIDDONORS", "AKIDNOBODY"), body, noon, sigv4.ErrUnknownKey},
		{"a hash of another body", func(r *http.Request) { r.Header.Set("X-Amz-Content-Sha256", hash("")) }, body, noon, sigv4.ErrMismatch},
		{"an unsigned body", func(r *http.Request) { r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD") }, body, noon, sigv4.ErrMismatch},
		{"an action that is not signed", replace(";x-amz-target", ""), body, noon, sigv4.ErrIncomplete},
		{"a host that is not signed", replace("host;", ""), body, noon, sigv4.ErrIncomplete},
		{"no headers", replace("SignedHeaders", "x"), body, noon, sigv4.ErrIncomplete},
		{"no credential", replace("Credential=", "x="), body, noon, sigv4.ErrIncomplete},
		{"a credential cut off", replace("/aws4_request", ""), body, noon, sigv4.ErrIncomplete},
		{"a signature cut off", func(r *http.Request) {
			a := r.Header.Get("Authorization")
			r.Header.Set("Authorization", a[:len(a)-2])
		}, body, noon, sigv4.ErrIncomplete},
		{"another algorithm", replace("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"), body, noon, sigv4.ErrIncomplete},
		{"another day", replace("20260304", "20260305"), body, noon, sigv4.ErrIncomplete},
		{"no date", func(r *http.Request) { r.Header.Del("X-Amz-Date") }, body, noon, sigv4.ErrIncomplete},
		{"a password", func(r *http.Request) { r.SetBasicAuth("AKIDDONORS", "a secret") }, body, noon, sigv4.ErrIncomplete},
		{"too late", func(*http.Request) {}, body, noon.Add(sigv4.MaxSkew + time.Second), sigv4.ErrTime},
		{"too early", func(*http.Request) {}, body, noon.Add(-sigv4.MaxSkew - time.Second), sigv4.ErrTime},
		{"late", func(*http.Request) {}, body, noon.Add(sigv4.MaxSkew), nil},
		{"early", func(*http.Request) {}, body, noon.Add(-sigv4.MaxSkew), nil},
	} {
		r := request(t, "POST", "http://sqs.test/", body)
		r.Header.Set("X-Amz-Target", "AmazonSQS.PurgeQueue")
		sign(t, r, body, "AKIDDONORS", "a secret")
		r = arrive(t, r)
		test.change(r)
		err := keys.Verify(r, []byte(test.body), test.at)
		if !errors.Is(err, test.want) {
			t.Errorf("%s: %v; want %v", test.what, err, test.want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") && strings.Contains(err.Error(), "a secret") {
			t.Errorf("%s: the error has the secret: %v", test.what, err)
		}
	}
	r := request(t, "POST", "http://sqs.test/", body)
	sign(t, r, body, "AKIDDONORS", "a Secret")
	if err := keys.Verify(arrive(t, r), []byte(body), noon); !errors.Is(err, sigv4.ErrMismatch) {
		t.Errorf("another secret: %v", err)
	}
}

// replace changes the header Authorization.
func replace(old, by string) func(*http.Request) {
	return func(r *http.Request) {
		r.Header.Set("Authorization", strings.ReplaceAll(r.Header.Get("Authorization"), old, by))
	}
}

func TestPresignedURLsAreGoodUntilTheySay(t *testing.T) {
	const target = "http://sqs.test/000000000000/donors?Action=SendMessage&MessageBody=a%20b&X-Amz-Expires=3600"
	signed := presign(t, "GET", target, "")
	for _, test := range []struct {
		what, url, method, body string
		at                      time.Time
		want                    error
	}{
		{"at once", signed, "GET", "", noon, nil},
		{"at its end", signed, "GET", "", noon.Add(time.Hour), nil},
		{"after it", signed, "GET", "", noon.Add(time.Hour + time.Second), sigv4.ErrTime},
		{"by a clock that is slow", signed, "GET", "", noon.Add(-sigv4.MaxSkew), nil},
		{"long before", signed, "GET", "", noon.Add(-time.Hour), sigv4.ErrTime},
		{"for longer", strings.Replace(signed, "Expires=3600", "Expires=7200", 1), "GET", "", noon, sigv4.ErrMismatch},
		{"for too long", strings.Replace(signed, "Expires=3600", "Expires=604801", 1), "GET", "", noon, sigv4.ErrIncomplete},
		{"for ever", strings.Replace(signed, "X-Amz-Expires=3600", "x=1", 1), "GET", "", noon, sigv4.ErrIncomplete},
		{"with another message", strings.Replace(signed, "MessageBody=a", "MessageBody=b", 1), "GET", "", noon, sigv4.ErrMismatch},
		{"with one more parameter", signed + "&DelaySeconds=1", "GET", "", noon, sigv4.ErrMismatch},
		{"with a body", signed, "GET", "x", noon, sigv4.ErrMismatch},
		{"as a POST", signed, "POST", "", noon, sigv4.ErrMismatch},
		{"as a POST that is signed", presign(t, "POST", target, "x=1"), "POST", "x=1", noon, nil},
	} {
		err := keys.Verify(arrive(t, request(t, test.method, test.url, test.body)), []byte(test.body), test.at)
		if !errors.Is(err, test.want) {
			t.Errorf("%s: %v; want %v", test.what, err, test.want)
		}
	}
	// An action by header is none that the URL's signature covers.
	r := arrive(t, request(t, "GET", signed, ""))
	r.Header.Set("X-Amz-Target", "AmazonSQS.PurgeQueue")
	if err := keys.Verify(r, nil, noon); !errors.Is(err, sigv4.ErrIncomplete) {
		t.Errorf("with an action by header: %v", err)
	}
}

func TestAClientBehindAProxySignsWhatItSees(t *testing.T) {
	r := request(t, "POST", "http://sqs.example/queues/000000000000/donors", body)
	sign(t, r, body, "AKIDDONORS", "a secret")
	r = arrive(t, r)
	r.Host = "127.0.0.1:9324"
	r.URL.Path = "/000000000000/donors"
	if err := keys.Verify(r, []byte(body), noon); !errors.Is(err, sigv4.ErrMismatch) {
		t.Error(err)
	}
	r.Header.Set("X-Forwarded-Host", "sqs.example")
	r.Header.Set("X-Forwarded-Prefix", "/queues/")
	if err := keys.Verify(r, []byte(body), noon); err != nil {
		t.Error(err)
	}
}

func TestKeyFiles(t *testing.T) {
	got, err := sigv4.ParseKeys("# keys\n[donors]\naws_access_key_id = AKIDDONORS\naws_secret_access_key=a secret=\nregion = us-east-1\n\n;\n[other]\naws_secret_access_key = s\naws_access_key_id = AKIDOTHER\n")
	if err != nil || len(got) != 2 || got["AKIDDONORS"] != "a secret=" || got["AKIDOTHER"] != "s" {
		t.Errorf("%v, %v", got, err)
	}
	for text, want := range map[string]string{
		"":             "0: no key is there",
		"\n# x\n":      "2: no key is there",
		"a = b":        "1: want a [section]",
		"[a]\nAKID:s":  "2: want [section]",
		"[a]\n\n[b]\n": "1: section [a] does not have both",
		"\n[a]\naws_access_key_id = x\naws_secret_access_key =\n":                                                      "2: section [a] does not have both",
		"[a]\naws_access_key_id = x\naws_secret_access_key = y\n[b]\naws_access_key_id = x\naws_secret_access_key = z": "4: the access key id x is there twice",
	} {
		if _, err := sigv4.ParseKeys(text); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v; want %s", text, err, want)
		}
	}
}

// FuzzVerify takes no request that nobody signed, whatever it says.
func FuzzVerify(f *testing.F) {
	f.Add("AWS4-HMAC-SHA256 Credential=AKIDDONORS/20260304/us-east-1/sqs/aws4_request, SignedHeaders=host;x-amz-date, Signature="+strings.Repeat("0", 64), "a=b", "20260304T120000Z")
	f.Add("", "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDDONORS/20260304/us-east-1/sqs/aws4_request&X-Amz-Date=20260304T120000Z&X-Amz-Expires=1&X-Amz-SignedHeaders=host&X-Amz-Signature="+strings.Repeat("0", 64), "")
	f.Add("AWS4-HMAC-SHA256 Credential=AKIDDONORS/////,SignedHeaders=;;;,Signature=", "%%", "T")
	f.Fuzz(func(t *testing.T, authorization, query, date string) {
		r := &http.Request{Method: "POST", Host: "sqs.test", URL: &url.URL{Path: "/", RawQuery: query}, Header: http.Header{}}
		if authorization != "" {
			r.Header.Set("Authorization", authorization)
		}
		r.Header.Set("X-Amz-Date", date)
		if keys.Verify(r, nil, noon) == nil {
			t.Errorf("taken: %q, %q, %q", authorization, query, date)
		}
	})
}
