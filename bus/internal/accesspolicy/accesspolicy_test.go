package accesspolicy

import (
	"errors"
	"testing"
)

func TestPermissionsAreStatements(t *testing.T) {
	one := Permission{"one", "aws", []string{"111111111111"}, []string{"SNS:Publish"}, "arn:t"}
	two := Permission{"two", "aws-cn", []string{"1", "2"}, []string{"SQS:*", "SQS:SendMessage"}, "arn:q"}
	const first = `{"Version":"2008-10-17","Id":"id","Statement":[{"Sid":"one","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:root"},"Action":"SNS:Publish","Resource":"arn:t"}`
	const second = `{"Sid":"two","Effect":"Allow","Principal":{"AWS":["arn:aws-cn:iam::1:root","arn:aws-cn:iam::2:root"]},"Action":["SQS:*","SQS:SendMessage"],"Resource":"arn:q"}`
	text, err := Add("", "id", one)
	if err != nil || text != first+"]}" {
		t.Errorf("%s, %v", text, err)
	}
	if text, err = Add(text, "other", two); err != nil || text != first+","+second+"]}" {
		t.Errorf("%s, %v", text, err)
	}
	if _, err := Add(text, "", one); !errors.Is(err, ErrExists) {
		t.Error(err)
	}
	if text, err = Remove(text, "two"); err != nil || text != first+"]}" {
		t.Errorf("%s, %v", text, err)
	}
	if _, err := Remove(text, "two"); !errors.Is(err, ErrNone) {
		t.Error(err)
	}
	if text, err = Remove(text, "one"); err != nil || text != "" {
		t.Errorf("%s, %v", text, err)
	}
	for _, bad := range []string{"x", `{"Statement":{}}`} {
		if _, err := Add(bad, "", one); !errors.Is(err, ErrNoPolicy) {
			t.Error(err)
		}
		if _, err := Remove(bad, "one"); !errors.Is(err, ErrNoPolicy) {
			t.Error(err)
		}
	}
}

// What others wrote in a policy stays, in statements and in what they contain.
func TestOtherStatementsStay(t *testing.T) {
	const theirs = `{"Version":"2012-10-17","Statement":[{"Sid":"x","Condition":{"a":"b"}},7]}`
	text, err := Add(theirs, "id", Permission{Label: "one"})
	if err != nil {
		t.Fatal(err)
	}
	if text, err = Remove(text, "one"); err != nil || text != theirs {
		t.Errorf("%s, %v", text, err)
	}
}
