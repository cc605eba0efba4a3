package driver

import (
	"net/url"
	"strings"
	"testing"
)

// secret is one, in all of these URLs.
const secret = "PW-s3cr3t"

func TestSecretsAreStruckOutOfURLs(t *testing.T) {
	for raw, want := range map[string]string{
		"http://u:" + secret + "@host/1/q":                         "http://xxxxx@host/1/q",
		"nats://" + secret + "@host":                               "nats://xxxxx@host",
		"http://host/1/q?password=" + secret:                       "http://host/1/q?password=xxxxx",
		"http://host/1/q?wait=1s&X-Amz-Security-Token=" + secret:   "http://host/1/q?wait=1s&X-Amz-Security-Token=xxxxx",
		"http://host/q?ACCESSKEY=" + secret + "&b=a%20b":           "http://host/q?ACCESSKEY=xxxxx&b=a%20b",
		"http://host/q?X-Amz-Signature=" + secret + "#x":           "http://host/q?X-Amz-Signature=xxxxx#xxxxx",
		"http://host/q?p%61ssword=" + secret:                       "http://host/q?p%61ssword=xxxxx",
		"http://host/q?password=" + secret + "%zz":                 "http://host/q?password=xxxxx",
		"http://host/q?endpoint=http://u:" + secret + "@h":         "http://host/q?endpoint=http%3A%2F%2Fxxxxx%40h",
		"http://host/q?endpoint=http%3A%2F%2Fu%3A" + secret + "@h": "http://host/q?endpoint=http%3A%2F%2Fxxxxx%40h",
		"http://host/q?endpoint=http://h/x?token=" + secret:        "http://host/q?endpoint=http%3A%2F%2Fh%2Fx%3Ftoken%3Dxxxxx",
		"http://host/q?endpoint=http://u:" + secret + "/@h":        "http://host/q?endpoint=xxxxx",
		"http://host/q?endpoint=u:" + secret + "@h":                "http://host/q?endpoint=u%3Axxxxx%40h",
		"http://host/1/q#" + secret:                                "http://host/1/q#xxxxx",
		"http:///u:" + secret + "@host/1/q":                        "http:///xxxxx@host/1/q",
		"http://host/u:" + secret + "%40x/q":                       "http://host/xxxxx@x/q",
		"http:u:" + secret + "@host/q":                             "http:xxxxx@host/q",
		"u:" + secret + "@host/q":                                  "u:xxxxx@host/q",
		"//u:" + secret + "@host/q":                                "//xxxxx@host/q",
		secret + "@host/q":                                         "xxxxx@host/q",
		"http://u:" + secret + "/x@host/q":                         "(a URL that does not parse)",
		"http://u:" + secret + "@ho st/q":                          "(a URL that does not parse)",
	} {
		got := Redact(raw)
		if got != want {
			t.Errorf("%s is shown as\n%s; want\n%s", raw, got, want)
		}
		if text := RedactText("cannot open "+raw+" now", raw); text != "cannot open "+want+" now" {
			t.Errorf("of %s a text says %s", raw, text)
		}
		if _, err := ParseURL(raw); err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", raw, err)
		}
	}
}

func TestSecretsAreStruckOutOfTextsThatQuoteAPiece(t *testing.T) {
	for _, raw := range []string{
		"http://u:" + secret + "@host", "http://" + secret + "@host", "mem://a/u:" + secret + "@host", "http://host?token=" + secret,
		"http://host?endpoint=http://u:" + secret + "@host",
	} {
		if got := RedactText("queue name "+secret+" has 9 characters", raw); got != "queue name xxxxx has 9 characters" {
			t.Errorf("of %s a text says %s", raw, got)
		}
	}
}

func TestURLsWithoutSecretsAreShownAsTheyAre(t *testing.T) {
	for _, raw := range []string{
		"", "mem://donors", "mem://donors?delay=5s&visibility=1s", "http://127.0.0.1:9324/000000000000/donors?wait=20s",
		"http://[::1]:9324/queue/donors?region=x", "awssns:///arn:aws:sns:us-east-1:123456789012:donations?role=arn:aws:iam::1:role/x",
		"awssqs://sqs.us-east-1.amazonaws.com/1/d?endpoint=https://vpce-1.example.com/&snstopicarn=arn:aws:sns:us-east-1:1:d",
	} {
		if got := Redact(raw); got != raw {
			t.Errorf("%s is shown as %s", raw, got)
		}
		const text = "a text that quotes nothing"
		if got := RedactText(text, raw); got != text {
			t.Errorf("of %s a text becomes %s", raw, got)
		}
	}
}

func FuzzRedact(f *testing.F) {
	f.Add("http://host/q?", "=")
	f.Add("http://", ":")
	f.Fuzz(func(t *testing.T, before, between string) {
		Redact(before + between) // whatever it is
		u := "http://" + url.QueryEscape(before) + ":" + secret + "@host/1/q?x=" + url.QueryEscape(between) + "&token=" + secret
		if got := Redact(u); strings.Contains(got, secret) {
			t.Errorf("%s is shown as %s", u, got)
		}
	})
}
