package main

import (
	"cmp"
	"net"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"omnibus/bus"
	"omnibus/bus/spec"
	"omnibus/bus/sqsbus"
)

// arn is the ARN of a queue: partition, region, account and name.
var arn = regexp.MustCompile(`^arn:(aws[a-z-]*):sqs:([a-z0-9-]+):([0-9]{12}):([A-Za-z0-9_.-]+)$`)

// resolve returns the URL of the queue that a URL, a name or an ARN names. A name and
// an ARN are looked for where [app.endpoint] says.
func (a *app) resolve(queue string) (string, error) {
	parts := arn.FindStringSubmatch(queue)
	isName := spec.CheckQueueName(queue) == nil
	if parts == nil && !isName {
		return queue, nil // the mux says what is wrong with it
	}
	at := a.endpoint()
	if at == "" {
		return "", usagef("%s is no URL, and no endpoint is known where the queue may be: set BUS_URL or AWS_ENDPOINT_URL_SQS to one, such as http://127.0.0.1:9324, or give the URL of the queue; omnibus list -queue http://127.0.0.1:9324 shows those of sqsd", queue)
	}
	if parts == nil {
		return a.beside(at, queue)
	}
	u, err := url.Parse(at)
	if err != nil {
		return "", usagef("the endpoint %s does not parse as a URL; set BUS_URL to one such as http://127.0.0.1:9324", bus.Redact(at))
	}
	region, account, name := parts[2], parts[3], parts[4]
	if before, after, ok := strings.Cut(u.Hostname(), "."); ok && before == "sqs" && strings.Contains(after, "amazonaws.com") {
		_, suffix, _ := strings.Cut(after, ".")
		u.Host = "sqs." + region + "." + suffix
	} else if u.Scheme == "http" || u.Scheme == "https" {
		query := u.Query()
		query.Set("region", region)
		u.RawQuery = query.Encode()
	}
	u.Path = "/" + account + "/" + name
	return u.String(), nil
}

// endpoint returns a URL of the place where queues are that are given by name: that of
// a queue, or of an endpoint; "" if none is configured.
func (a *app) endpoint() string {
	if at := a.getenv("BUS_URL"); strings.Contains(at, "://") {
		return at
	}
	return cmp.Or(a.getenv("AWS_ENDPOINT_URL_SQS"), a.getenv("AWS_ENDPOINT_URL"))
}

// beside returns the URL of the queue named name that is where the URL at says: a
// queue beside it, or one of that endpoint.
func (a *app) beside(at, name string) (string, error) {
	u, err := url.Parse(at)
	if err != nil {
		return "", usagef("%s does not parse as a URL", bus.Redact(at))
	}
	dir := path.Dir(u.Path)
	switch {
	case u.Path == "" && u.Scheme != "http" && u.Scheme != "https": // a backend whose queues are hosts
		u.Host = name
		return u.String(), nil
	case strings.Trim(u.Path, "/") == "":
		account := a.getenv("AWS_ACCOUNT_ID")
		if account == "" && !loopback(u.Hostname()) {
			return "", usagef("the account of queue %s at %s is not known: set AWS_ACCOUNT_ID, or give the ARN or the URL of the queue", name, bus.Redact(at))
		}
		dir = "/" + cmp.Or(account, "000000000000")
	}
	u.Path = path.Join(dir, name)
	return u.String(), nil
}

// loopback reports whether a host is this machine.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
}

// needPlace returns the URL at which queues are listed: that of a queue, or of an
// endpoint.
func (f *flagSet) needPlace() (string, error) {
	if f.queue == "" {
		f.queue = f.app.endpoint()
	}
	if f.queue == "" {
		return "", usagef("no endpoint is named: use -queue http://127.0.0.1:9324, or set BUS_URL or AWS_ENDPOINT_URL_SQS")
	}
	f.app.queue = f.queue
	return f.queue, f.needShared(f.queue)
}

// onSQS reports whether a URL names a queue that speaks SQS's protocol.
func onSQS(rawURL string) bool {
	u, err := url.Parse(rawURL)
	return err == nil && slices.Contains([]string{"http", "https", sqsbus.SchemeSQS}, u.Scheme)
}
