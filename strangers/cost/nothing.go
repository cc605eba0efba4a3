//go:build strangers

package main

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// doNothingCommand is the argument that makes this program the server that only
// parses and answers.
const doNothingCommand = "do-nothing"

// nothingRequest is all that the requests measured say.
type nothingRequest struct {
	QueueURL            string `json:"QueueUrl"`
	MessageBody         string
	MaxNumberOfMessages int
	Entries             []struct{ Id, MessageBody, ReceiptHandle string }
}

// serveNothing serves the JSON protocol without a queue: a send is parsed and
// hashed, which clients check; a receive answers always the same ten messages.
func serveNothing(addr string) error {
	body := strings.Repeat("x", bodySize)
	var ten strings.Builder
	for i := range 10 {
		if i > 0 {
			ten.WriteByte(',')
		}
		fmt.Fprintf(&ten, `{"MessageId":"00000000-0000-0000-0000-00000000000%d","ReceiptHandle":"%032d","MD5OfBody":"%s","Body":"%s"}`, i, i, sum(body), body)
	}
	messages := `{"Messages":[` + ten.String() + `]}`
	return http.ListenAndServe(addr, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(r.Body)
		var in nothingRequest
		if err == nil {
			err = json.Unmarshal(text, &in)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		action := strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "AmazonSQS.")
		var out []byte
		switch action {
		case "CreateQueue":
			out = fmt.Appendf(out, `{"QueueUrl":"http://%s/000000000000/cost"}`, addr)
		case "SendMessage":
			out = fmt.Appendf(out, `{"MessageId":"00000000-0000-0000-0000-000000000000","MD5OfMessageBody":"%s"}`, sum(in.MessageBody))
		case "SendMessageBatch":
			out = append(out, `{"Successful":[`...)
			for i, e := range in.Entries {
				if i > 0 {
					out = append(out, ',')
				}
				out = fmt.Appendf(out, `{"Id":"%s","MessageId":"00000000-0000-0000-0000-000000000000","MD5OfMessageBody":"%s"}`, e.Id, sum(e.MessageBody))
			}
			out = append(out, "]}"...)
		case "ReceiveMessage":
			out = append(out, messages...)
		case "DeleteMessageBatch":
			out = append(out, `{"Successful":[`...)
			for i, e := range in.Entries {
				if i > 0 {
					out = append(out, ',')
				}
				out = fmt.Appendf(out, `{"Id":"%s"}`, e.Id)
			}
			out = append(out, "]}"...)
		default:
			http.Error(w, "no such action", http.StatusBadRequest)
			return
		}
		w.Write(out)
	}))
}

func sum(s string) string {
	h := md5.Sum([]byte(s))
	return hex.EncodeToString(h[:])
}
