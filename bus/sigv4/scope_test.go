package sigv4

import (
	"net/http/httptest"
	"testing"
)

func TestScopeOf(t *testing.T) {
	for _, test := range []struct {
		target, authorization string
		want                  Scope
		account               string
	}{
		{"/", "AWS4-HMAC-SHA256 Credential=123456789012/20000101/eu-west-1/sns/aws4_request, SignedHeaders=host, Signature=0", Scope{"123456789012", "eu-west-1", "sns"}, "123456789012"},
		{"/", "AWS4-HMAC-SHA256 SignedHeaders=host,Signature=0,Credential=AKID/20000101/eu-west-1/sqs/aws4_request", Scope{"AKID", "eu-west-1", "sqs"}, ""},
		{"/?X-Amz-Credential=12345678901x%2F20000101%2Fus-east-1%2Fsts%2Faws4_request&%zz", "", Scope{"12345678901x", "us-east-1", "sts"}, ""},
		{"/?X-Amz-Credential=AKID%2F20000101%2Fus-east-1%2Fsts", "", Scope{}, ""},
		{"/", "Bearer x", Scope{}, ""},
		{"/", "", Scope{}, ""},
	} {
		r := httptest.NewRequest("GET", test.target, nil)
		if test.authorization != "" {
			r.Header.Set("Authorization", test.authorization)
		}
		if got, found := ScopeOf(r); got != test.want || found != (test.want != Scope{}) || got.Account() != test.account {
			t.Errorf("%s %s: %+v, %v, account %s", test.target, test.authorization, got, found, got.Account())
		}
	}
}
