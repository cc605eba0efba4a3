package sqsserver_test

import (
	"fmt"
	"io"
	"net/http/httptest"
	"strings"
	"sync/atomic"

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

// Every other send of a message is refused, as AWS does when it is asked for too much.
func ExampleOptions_fault() {
	var sends atomic.Int32
	endpoint := sqsserver.New(&sqsserver.Options{
		Fault: func(c *sqsserver.Call) (f sqsserver.Fault) {
			if c.Action == "SendMessage" && sends.Add(1)%2 == 1 {
				f.Refuse = sqsserver.Throttled
			}
			return f
		},
	})
	if _, err := endpoint.Client().Get("http://sqs.test/?Action=CreateQueue&QueueName=donors"); err != nil {
		panic(err)
	}
	for range 2 {
		answer, err := endpoint.Client().Get("http://sqs.test/000000000000/donors?Action=SendMessage&MessageBody=a+donor")
		if err != nil {
			panic(err)
		}
		fmt.Println(answer.Status)
	}
	// Output:
	// 400 Bad Request
	// 200 OK
}
