package snsserver_test

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/sns"
)

// verify checks the signature of a document as its receivers do: by the
// certificate at its SigningCertURL, over the members that AWS's documentation
// names, in their order.
func (r *rig) verify(document string) {
	r.t.Helper()
	var d map[string]any
	ok(r.t, json.Unmarshal([]byte(document), &d))
	signed := []string{"Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"}
	if d["Type"] != "Notification" {
		signed = []string{"Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"}
	}
	var text strings.Builder
	for _, name := range signed {
		if value, there := d[name]; there {
			text.WriteString(name + "\n" + value.(string) + "\n")
		}
	}
	signature, err := base64.StdEncoding.DecodeString(d["Signature"].(string))
	ok(r.t, err)
	block, _ := pem.Decode([]byte(r.get(d["SigningCertURL"].(string))))
	certificate, err := x509.ParseCertificate(block.Bytes)
	ok(r.t, err)
	ok(r.t, certificate.CheckSignature(x509.SHA256WithRSA, certificate.RawTBSCertificate, certificate.Signature))
	key := certificate.PublicKey.(*rsa.PublicKey)
	if d["SignatureVersion"] == "2" {
		sum := sha256.Sum256([]byte(text.String()))
		err = rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature)
	} else {
		sum := sha1.Sum([]byte(text.String()))
		err = rsa.VerifyPKCS1v15(key, crypto.SHA1, sum[:], signature)
	}
	if err != nil {
		r.t.Errorf("%v: %s", err, document)
	}
}

func (r *rig) get(url string) string {
	r.t.Helper()
	resp, err := r.http.Get(url)
	ok(r.t, err)
	body, err := io.ReadAll(resp.Body)
	ok(r.t, err)
	if resp.StatusCode != http.StatusOK {
		r.t.Fatalf("%s: %d, %s", url, resp.StatusCode, body)
	}
	return string(body)
}

func TestSignaturesVerify(t *testing.T) {
	r := newRig(t)
	var certificates []string
	for _, version := range []string{"1", "2"} {
		topic := r.topic("v"+version, "SignatureVersion", version)
		url, _ := r.subscribed(topic, "q"+version)
		for _, subject := range []*string{nil, new("a subject")} {
			_, err := r.sns.Publish(t.Context(), &sns.PublishInput{TopicArn: topic, Subject: subject, Message: new("line one\nline two <\"é\">")})
			ok(t, err)
		}
		for _, m := range r.receive(url) {
			if !strings.Contains(*m.Body, `"SignatureVersion" : "`+version+`"`) {
				t.Error(*m.Body)
			}
			r.verify(*m.Body)
			_, certificate, _ := strings.Cut(*m.Body, `"SigningCertURL" : "`)
			certificates = append(certificates, strings.Split(certificate, `"`)[0])
		}
	}
	if len(certificates) != 4 || len(slices.Compact(certificates)) != 1 {
		t.Errorf("certificates %v", certificates)
	}
	for _, path := range []string{"/SimpleNotificationService-0.pem", "/SimpleNotificationService-.pem"} {
		if resp, err := r.http.Get(endpoint + path); err != nil || resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %v, %v", path, resp, err)
		}
	}
}

// The link in an envelope ends the subscription.
func TestUnsubscribeLink(t *testing.T) {
	r := newRig(t)
	topic := r.topic("t")
	url, _ := r.subscribed(topic, "q")
	r.publish(topic, "one")
	var envelope struct{ UnsubscribeURL string }
	ok(t, json.Unmarshal([]byte(*r.receive(url)[0].Body), &envelope))
	if got := r.get(envelope.UnsubscribeURL); !strings.HasPrefix(got, `<UnsubscribeResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><ResponseMetadata>`) {
		t.Error(got)
	}
	r.publish(topic, "two")
	if n := len(r.receive(url)); n != 0 {
		t.Errorf("%d messages after it", n)
	}
	r.get(envelope.UnsubscribeURL) // again
}
