package sqsserver_test

import (
	"fmt"
	"io"
	"net/http/httptest"
	"strings"

	"omnibus/bus/sqsserver"
)

// An endpoint in one line, for a program in any language.
func Example() {
	endpoint := httptest.NewServer(sqsserver.New(nil))
	defer endpoint.Close()

	form := strings.NewReader("Action=GetQueueUrl&QueueName=donors")
	resp, err := endpoint.Client().Post(endpoint.URL, "application/x-www-form-urlencoded", form)
	if err != nil {
		panic(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		panic(err)
	}
	_, code, _ := strings.Cut(string(answer), "<Code>")
	code, _, _ = strings.Cut(code, "</Code>")
	fmt.Println(resp.StatusCode, code)
	// Output: 400 AWS.SimpleQueueService.NonExistentQueue
}
