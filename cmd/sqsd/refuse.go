package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"net/http"
	"strconv"
)

// A failure is why a request does not reach the service, as the two protocols
// spell it.
type failure struct {
	status int
	query  string
	json   string
}

var accessDenied = failure{http.StatusForbidden, "AccessDenied", "AccessDeniedException"}

// answer answers the failure, in the protocol of the request.
func (f failure) answer(w http.ResponseWriter, r *http.Request, message string) {
	fault := "Sender"
	if f.status >= 500 {
		fault = "Receiver"
	}
	var body []byte
	h := w.Header()
	if r.Header["X-Amz-Target"] != nil {
		h.Set("Content-Type", "application/x-amz-json-1.0")
		h.Set("X-Amzn-Query-Error", f.query+";"+fault)
		body, _ = json.Marshal(map[string]string{"__type": "com.amazon.coral.service#" + f.json, "message": message}) // texts only
	} else {
		h.Set("Content-Type", "text/xml")
		var text bytes.Buffer
		_ = xml.EscapeText(&text, []byte(message)) // a bytes.Buffer takes all
		body = []byte(`<?xml version="1.0"?><ErrorResponse><Error><Type>` + fault + `</Type><Code>` + f.query + `</Code><Message>` + text.String() + `</Message></Error></ErrorResponse>`)
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(f.status)
	_, _ = w.Write(body) // an error is that the client has gone
}
