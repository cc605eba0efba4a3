package sqsserver_test

import (
	"flag"
	"net/http"
	"regexp"
	"testing"

	"omnibus/bus/internal/protocoltest"
	"omnibus/bus/sqsserver"
)

var update = flag.Bool("update", false, "write what the server answers into testdata/protocol")

// TestProtocol plays the files of testdata/protocol.
func TestProtocol(t *testing.T) {
	p := protocoltest.Player{
		Client:  func() *http.Client { return sqsserver.New(nil).Client() },
		Address: endpoint,
		Header:  "x-amzn-query-error",
		Update:  *update,
		Words:   map[string]*regexp.Regexp{"RECEIPT": regexp.MustCompile(`ReceiptHandle(?:":"|>)([\w-]{38})`)},
	}
	p.Play(t, "testdata/protocol/*.txt")
}
