package snsserver_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sns"

	"omnibus/bus/snsserver"
	"omnibus/bus/sqsserver"
)

// receiver is an endpoint over HTTP that keeps what it is sent. It answers with
// the statuses given, the last one for ever.
type receiver struct {
	mu       sync.Mutex
	statuses []int
	got      []delivery
}

type delivery struct {
	header http.Header
	body   string
	at     time.Time
}

func (e *receiver) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)
	return w.Result(), nil
}

func (e *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.got = append(e.got, delivery{r.Header, string(body), time.Now()})
	status := http.StatusOK
	if len(e.statuses) > 0 {
		status = e.statuses[0]
		e.statuses = e.statuses[min(1, len(e.statuses)-1):]
	}
	w.WriteHeader(status)
}

// last returns the last delivery, when all that can be done is done.
func (e *receiver) last() delivery {
	synctest.Wait()
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.got[len(e.got)-1]
}

func (e *receiver) count() int {
	synctest.Wait()
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.got)
}

// subscribeHTTP subscribes an endpoint, confirms it by the link that it is sent,
// and returns the subscription.
func (r *rig) subscribeHTTP(e *receiver, topic *string, attributes ...string) *string {
	r.t.Helper()
	out, err := r.sns.Subscribe(r.t.Context(), &sns.SubscribeInput{TopicArn: topic, Protocol: new("http"), Endpoint: new("http://127.0.0.1:8080/in"), Attributes: pairs(attributes)})
	ok(r.t, err)
	if *out.SubscriptionArn != "pending confirmation" {
		r.t.Errorf("subscribed as %s", *out.SubscriptionArn)
	}
	var d struct{ SubscribeURL string }
	ok(r.t, json.Unmarshal([]byte(e.last().body), &d))
	_, arn, _ := strings.Cut(r.get(d.SubscribeURL), "<SubscriptionArn>")
	arn, _, _ = strings.Cut(arn, "<")
	return &arn
}

// inBubble runs a test with a rig and an endpoint in virtual time.
func inBubble(t *testing.T, statuses []int, test func(t *testing.T, r *rig, e *receiver)) {
	synctest.Test(t, func(t *testing.T) {
		e := &receiver{}
		r := newRig(t, func(o *snsserver.Options) { o.Transport = e })
		defer r.server.Close()
		test(t, r, e)
	})
}

func TestEndpointsOverHTTP(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, r *rig, e *receiver) {
		topic := r.topic("t")
		subscription := r.subscribeHTTP(e, topic)
		asked := e.last()
		r.verify(asked.body)
		if h := asked.header; h.Get("x-amz-sns-message-type") != "SubscriptionConfirmation" || h.Get("x-amz-sns-topic-arn") != *topic || h.Get("x-amz-sns-message-id") == "" || h.Get("x-amz-sns-subscription-arn") != "" {
			t.Errorf("asked with %v", h)
		}
		p := r.publish(topic, "hello")
		d := e.last()
		r.verify(d.body)
		for name, want := range map[string]string{
			"Content-Type": "text/plain; charset=UTF-8", "User-Agent": "Amazon Simple Notification Service Agent", "X-Amz-Sns-Message-Type": "Notification",
			"X-Amz-Sns-Message-Id": *p.MessageId, "X-Amz-Sns-Topic-Arn": *topic, "X-Amz-Sns-Subscription-Arn": *subscription, "X-Amz-Sns-Rawdelivery": "",
		} {
			if got := d.header.Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		for name, value := range map[string]string{"RawMessageDelivery": "true", "DeliveryPolicy": `{"requestPolicy":{"headerContentType":"text/csv"}}`} {
			_, err := r.sns.SetSubscriptionAttributes(t.Context(), &sns.SetSubscriptionAttributesInput{SubscriptionArn: subscription, AttributeName: &name, AttributeValue: &value})
			ok(t, err)
		}
		r.publish(topic, "a,b")
		if d := e.last(); d.body != "a,b" || d.header.Get("Content-Type") != "text/csv" || d.header.Get("X-Amz-Sns-Rawdelivery") != "true" {
			t.Errorf("raw: %+v", d)
		}
		_, err := r.sns.Unsubscribe(t.Context(), &sns.UnsubscribeInput{SubscriptionArn: subscription})
		ok(t, err)
		d = e.last()
		r.verify(d.body)
		if d.header.Get("x-amz-sns-message-type") != "UnsubscribeConfirmation" || d.header.Get("x-amz-sns-subscription-arn") != *subscription {
			t.Errorf("told %v", d.header)
		}
		n := e.count()
		r.publish(topic, "nobody")
		if e.count() != n {
			t.Errorf("after the end: %+v", e.last())
		}
	})
}

// A failure that may pass is tried again as the delivery policy says; one that
// does not pass, or is final, ends in the dead-letter queue.
func TestFailedDeliveriesAreTriedAgain(t *testing.T) {
	for _, test := range []struct {
		statuses []int
		tries    int
		dead     bool
		took     time.Duration
	}{
		{[]int{200}, 1, false, 0},
		{[]int{500, 429, 204}, 3, false, 40 * time.Second},
		{[]int{503}, 4, true, time.Minute},
		{[]int{404}, 1, true, 0},
		{[]int{301}, 1, true, 0},
	} {
		inBubble(t, nil, func(t *testing.T, r *rig, e *receiver) {
			topic := r.topic("t")
			dead, arn := r.queue("dead")
			r.subscribeHTTP(e, topic, "RedrivePolicy", `{"deadLetterTargetArn":"`+arn+`"}`)
			before := e.count()
			e.statuses = test.statuses
			begun := time.Now()
			r.publish(topic, "m")
			time.Sleep(2 * time.Minute)
			if tries, took := e.count()-before, e.last().at.Sub(begun); tries != test.tries || took != test.took {
				t.Errorf("%v: %d tries in %v, want %d in %v", test.statuses, tries, took, test.tries, test.took)
			}
			ms := r.receive(dead)
			if (len(ms) == 1) != test.dead || test.dead && *ms[0].Body != e.last().body {
				t.Errorf("%v: %d dead letters", test.statuses, len(ms))
			}
		})
	}
}

func TestCloseEndsDeliveries(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, r *rig, e *receiver) {
		topic := r.topic("t")
		dead, arn := r.queue("dead")
		r.subscribeHTTP(e, topic, "RedrivePolicy", `{"deadLetterTargetArn":"`+arn+`"}`)
		e.statuses = []int{500}
		r.publish(topic, "waits to be tried again")
		synctest.Wait()
		begun := time.Now()
		r.server.Close()
		r.publish(topic, "is not begun")
		if n := len(r.receive(dead)); n != 2 || time.Since(begun) != 0 {
			t.Errorf("%d dead letters after %v", n, time.Since(begun))
		}
	})
}

func TestOtherAddressesThanLoopbackAreNotAsked(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, r *rig, e *receiver) {
		topic := r.topic("t")
		for _, url := range []string{"http://10.0.0.1/", "http://example.com/", "http://0.0.0.0/", "http://[2001:db8::1]/", "http://localhost.example/", "http://169.254.169.254/latest"} {
			_, err := r.sns.Subscribe(t.Context(), &sns.SubscribeInput{TopicArn: topic, Protocol: new("http"), Endpoint: &url})
			ok(t, err)
			if n := e.count(); n != 0 {
				t.Errorf("%s was asked", url)
			}
		}
		for i, url := range []string{"http://127.9.9.9/", "http://[::1]:80/", "http://LOCALHOST:8080/"} {
			_, err := r.sns.Subscribe(t.Context(), &sns.SubscribeInput{TopicArn: topic, Protocol: new("http"), Endpoint: &url})
			ok(t, err)
			if n := e.count(); n != i+1 {
				t.Errorf("%s was not asked", url)
			}
		}
	})
}

// Over sockets, in real time: HTTP and HTTPS with a certificate of nobody's.
func TestDeliveriesOverSockets(t *testing.T) {
	for protocol, listen := range map[string]func(http.Handler) *httptest.Server{"http": httptest.NewServer, "https": httptest.NewTLSServer} {
		r := newRig(t)
		defer r.server.Close()
		topic := r.topic("t")
		arrived := make(chan string, 2)
		var confirmed atomic.Bool
		l := listen(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			body, _ := io.ReadAll(req.Body)
			if !confirmed.Swap(true) {
				var d struct{ SubscribeURL string }
				_ = json.Unmarshal(body, &d)
				_, _ = r.http.Get(d.SubscribeURL)
			}
			arrived <- string(body)
		}))
		defer l.Close()
		_, err := r.sns.Subscribe(t.Context(), &sns.SubscribeInput{TopicArn: topic, Protocol: &protocol, Endpoint: &l.URL})
		ok(t, err)
		<-arrived
		r.publish(topic, "over "+protocol)
		if got := <-arrived; !strings.Contains(got, `"Message" : "over `+protocol+`"`) {
			t.Error(got)
		}
	}
}

// A name that leads to a loopback address for the check, and elsewhere when it is
// connected to, leads nowhere.
func TestConnectionsGoToLoopbackOnly(t *testing.T) {
	for address, want := range map[string]bool{"127.0.0.1:80": true, "127.255.0.9:1": true, "[::1]:80": true, "10.0.0.1:80": false, "[::ffff:10.0.0.1]:80": false, "0.0.0.0:80": false, "[::]:80": false, "x:80": false} {
		if err := snsserver.DialLoopback("tcp", address, nil); (err == nil) != want {
			t.Errorf("%s: %v", address, err)
		}
	}
	// The transport that deliveries take uses it.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ok(t, err)
	l.Close()
	_, err = snsserver.NewTransport().RoundTrip(httptest.NewRequest(http.MethodGet, "http://0.0.0.0:"+strings.Split(l.Addr().String(), ":")[1], nil))
	if err == nil || !strings.Contains(err.Error(), "is not a loopback address") {
		t.Error(err)
	}
}

// What waits to be delivered is bounded, by what each delivery takes with its body and
// beside it; the rest is given up at once.
func TestWaitingDeliveriesAreBounded(t *testing.T) {
	for _, bytes := range []int{1, 256 << 10} {
		inBubble(t, nil, func(t *testing.T, r *rig, e *receiver) {
			topic := r.topic("t")
			dead, arn := r.queue("dead")
			r.subscribeHTTP(e, topic, "RawMessageDelivery", "true", "RedrivePolicy", `{"deadLetterTargetArn":"`+arn+`"}`)
			e.statuses = []int{500}
			r.server.SetRoom(10 * (snsserver.PostBytes + bytes))
			for range 10 + 3 {
				r.publish(topic, strings.Repeat("x", bytes))
			}
			if n := len(r.receive(dead)); n != 3 {
				t.Errorf("%d of %d bytes were given up", n, bytes)
			}
		})
	}
}

func TestServiceOf(t *testing.T) {
	const signed = "AWS4-HMAC-SHA256 Credential=id/20000101/eu-west-1/%s/aws4_request, SignedHeaders=host, Signature=0"
	for _, test := range []struct {
		method, target, scope, body, want string
	}{
		{"POST", "/", "sns", "", "sns"},
		{"POST", "/", "sts", "Action=CreateQueue", "sts"},
		{"POST", "/", "sqs", "Action=Publish&Version=2010-03-31", "sqs"},
		{"POST", "/", "s3", "", "sqs"},
		{"GET", "/?X-Amz-Credential=id%2F20000101%2Feu-west-1%2Fsns%2Faws4_request&Action=AddPermission", "", "", "sns"},
		{"GET", "/?Action=Unsubscribe&SubscriptionArn=x", "", "", "sns"},
		{"GET", "/?Action=ConfirmSubscription&Token=x", "", "", "sns"},
		{"GET", "/SimpleNotificationService-0.pem", "", "", "sns"},
		{"GET", "/", "", "", "sqs"},
		{"GET", "/?Action=AddPermission", "", "", "sqs"},
		{"POST", "/000000000000/q", "", "Action=SendMessage&MessageBody=Version%3D2010-03-31", "sqs"},
		{"POST", "/", "", "Action=AddPermission&Label=l&Version=2010-03-31", "sns"},
		{"POST", "/", "", "Action=AddPermission&Label=l&Version=2012-11-05", "sqs"},
		{"POST", "/", "", "Action=CreateTopic&Name=t", "sns"},
		{"POST", "/", "", "Action=GetCallerIdentity", "sts"},
		{"POST", "/", "", "Version=2011-06-15&Action=AssumeRole", "sts"},
		{"POST", "/?Action=Publish", "", "Message=m", "sns"},
		{"POST", "/", "", "Action=Publish&Message=" + strings.Repeat("x", 100_000) + "&Version=2010-03-31", "sns"},
		{"POST", "/", "", "%zz&&=&Action", "sqs"},
	} {
		req := httptest.NewRequest(test.method, test.target, strings.NewReader(test.body))
		if test.scope != "" {
			req.Header.Set("Authorization", fmt.Sprintf(signed, test.scope))
		}
		if got := snsserver.ServiceOf(req); got != test.want {
			t.Errorf("%s %s, signed for %q, %.60s: %s, want %s", test.method, test.target, test.scope, test.body, got, test.want)
		}
		if rest, err := io.ReadAll(req.Body); err != nil || string(rest) != test.body {
			t.Errorf("%.60s: the body that stays is %.60q", test.body, rest)
		}
	}
	req := httptest.NewRequest("POST", "/", strings.NewReader("Action=Publish"))
	req.Header.Set("X-Amz-Target", "AmazonSQS.SendMessage")
	if got := snsserver.ServiceOf(req); got != snsserver.SQS {
		t.Errorf("the JSON protocol is of %s", got)
	}
}

// described is an answer that keeps what it is told of its request.
type described struct {
	*httptest.ResponseRecorder
	said string
}

func (d *described) Describe(account, region, action, topic string) {
	d.said = strings.Join([]string{account, region, action, topic}, " ")
}

func TestAnswersAreDescribed(t *testing.T) {
	server := newRig(t).server
	for body, want := range map[string]string{
		"Action=CreateTopic&Name=t":                                       account + " " + region + " CreateTopic t",
		"Action=Publish&TopicArn=arn:aws:sns:us-east-1:1:u":               account + " " + region + " Publish u",
		"Action=Unsubscribe&SubscriptionArn=arn:aws:sns:us-east-1:1:u:id": account + " " + region + " Unsubscribe u",
		"Action=ListTopics":                                               account + " " + region + " ListTopics ",
		"Action=x":                                                        account + " " + region + "  ",
	} {
		d := &described{ResponseRecorder: httptest.NewRecorder()}
		server.ServeHTTP(d, httptest.NewRequest("POST", "/", strings.NewReader(body)))
		if d.said != want {
			t.Errorf("%s: %q, want %q", body, d.said, want)
		}
	}
}

func TestUnsignedIsWhatAWSTakesUnsigned(t *testing.T) {
	for target, want := range map[string]bool{
		"GET /SimpleNotificationService-0.pem": true, "GET /?Action=Unsubscribe&SubscriptionArn=x": true, "GET /?Action=ConfirmSubscription": true,
		"POST /?Action=Unsubscribe": false, "GET /?Action=Publish": false, "GET /": false, "GET /?Action=PurgeQueue": false,
		"GET /queues?Action=Unsubscribe": false, "GET //?Action=Unsubscribe": false, "GET /000000000000/q?Action=ConfirmSubscription": false,
	} {
		method, path, _ := strings.Cut(target, " ")
		if got := snsserver.Unsigned(httptest.NewRequest(method, path, nil)); got != want {
			t.Errorf("%s: %v", target, got)
		}
	}
	const credential = "nobody/20000101/us-east-1/sns/aws4_request"
	r := httptest.NewRequest("GET", "/?Action=Unsubscribe", nil)
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+credential)
	if snsserver.Unsigned(r) {
		t.Error("a request with a signature in its header is unsigned")
	}
	if snsserver.Unsigned(httptest.NewRequest("GET", "/?Action=Unsubscribe&X-Amz-Credential="+credential, nil)) {
		t.Error("a presigned URL is unsigned")
	}
	r.Header.Set("Authorization", "Basic ZG9ub3I6") // for a proxy
	if !snsserver.Unsigned(r) {
		t.Error("a request with a password is not unsigned")
	}
}

// One handler on one socket answers SQS, SNS and STS.
func TestBesideOverASocket(t *testing.T) {
	queues := sqsserver.New(nil)
	topics := snsserver.New(&snsserver.Options{Queues: queues})
	l := httptest.NewServer(snsserver.Beside(topics, queues))
	defer l.Close()
	for body, want := range map[string]string{
		"Action=CreateQueue&QueueName=q": "<QueueUrl>" + l.URL + "/000000000000/q</QueueUrl>",
		"Action=CreateTopic&Name=t":      "<TopicArn>arn:aws:sns:us-east-1:000000000000:t</TopicArn>",
		"Action=GetCallerIdentity":       "<Account>000000000000</Account>",
	} {
		resp, err := http.Post(l.URL, "application/x-www-form-urlencoded", strings.NewReader(body))
		ok(t, err)
		answer, err := io.ReadAll(resp.Body)
		ok(t, err)
		if !strings.Contains(string(answer), want) {
			t.Errorf("%s: %s", body, answer)
		}
	}
}
