package sqsbus

import (
	"fmt"
	"maps"
	"net"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"omnibus/bus/driver"
	"omnibus/bus/spec"
)

// An address is what a URL says.
type address struct {
	scheme   string
	name     string // of the queue; "" if the URL names a place only
	queue    string // the queue's URL, as requests name it
	topicARN string // of awssns URLs
	endpoint string // where requests go; "" means where the SDK sends them
	region   string // "" means that of the configuration
	keep     url.Values

	receive   receiveOptions
	sns       string // ARN of the topic whose envelopes are opened
	nackLazy  bool
	nackDelay time.Duration

	config url.Values // for the Go CDK's V2ConfigFromURLParams
}

// receiveOptions are how a queue is received from.
type receiveOptions struct {
	visibility *time.Duration // nil means the queue's own
	wait       time.Duration
}

// Parameters by what they are of.
var (
	connectionParams = []string{"anonymous", "dualstack", "fips", "hostname_immutable", "profile", "region", "request_checksum_calculation", "response_checksum_validation", "role"}
	receiveParams    = []string{"nackdelay", "nacklazy", "raw", "snstopicarn", "visibility", "wait", "waittime"}
)

// parse reads a URL that names a queue, a topic, or a place if nameless is set.
func parse(u *url.URL, nameless bool) (*address, error) {
	a := &address{scheme: u.Scheme, receive: receiveOptions{wait: spec.MaxWait}, config: url.Values{}, keep: url.Values{}}
	if u.Fragment != "" {
		return nil, invalid("the URL has a fragment, #%s, which means nothing here", u.Fragment)
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, invalid("the parameters do not parse: %v", err)
	}
	known := slices.Concat(connectionParams, []string{"endpoint"})
	if u.Scheme == SchemeSNS {
		err = a.topic(u)
	} else {
		known = append(known, receiveParams...)
		err = a.place(u, nameless)
	}
	if err != nil {
		return nil, err
	}
	slices.Sort(known)
	raw := false
	err = driver.EachParameter(query, known, func(name, value string) (err error) {
		if name == "raw" {
			raw, err = boolean(value)
			return err
		}
		return a.set(name, value)
	})
	if err != nil {
		return nil, err
	}
	switch {
	case query.Has("wait") && query.Has("waittime"):
		return nil, invalid("wait and waittime are the same; give one")
	case raw && a.sns != "":
		return nil, invalid("raw=true and snstopicarn exclude each other: with snstopicarn SNS's envelopes are opened, raw messages have none")
	case query.Has("raw") && !raw && a.sns == "":
		return nil, invalid("raw=false needs snstopicarn, the topic whose envelopes are opened: without it any sender could forge them")
	}
	return a, nil
}

// topic reads the ARN of an SNS topic.
func (a *address) topic(u *url.URL) error {
	a.topicARN = strings.TrimPrefix(path.Join(u.Host, u.Path), "/")
	parts := strings.Split(a.topicARN, ":")
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != "sns" || parts[5] == "" {
		return invalid("%q is no topic; want awssns:///arn:aws:sns:REGION:ACCOUNT:NAME", a.topicARN)
	}
	a.region = parts[3]
	return nil
}

// place reads a queue's URL.
func (a *address) place(u *url.URL, nameless bool) error {
	if u.Host == "" {
		return invalid("the URL has no host; want %s://HOST/ACCOUNT/NAME", u.Scheme)
	}
	scheme := u.Scheme
	if scheme == SchemeSQS {
		scheme = "https"
		if isLoopback(u.Hostname()) {
			scheme = "http"
		}
	}
	origin := scheme + "://" + u.Host
	a.region = regionOf(u.Hostname())
	if u.Scheme != SchemeSQS || a.region == "" {
		a.endpoint = origin
	}
	dir, name := path.Split(strings.TrimSuffix(u.Path, "/"))
	if name == "" && nameless {
		return nil
	}
	if err := spec.CheckQueueName(name); err != nil {
		return err
	}
	if dir == "/" || dir == "" {
		return invalid("the path %q has no account; want %s://HOST/ACCOUNT/NAME", u.Path, u.Scheme)
	}
	a.name, a.queue = name, origin+path.Join("/", dir, name)
	return nil
}

// set takes one parameter.
func (a *address) set(name, value string) (err error) {
	switch name {
	case "visibility":
		a.receive.visibility = new(time.Duration)
		*a.receive.visibility, err = wholeSeconds("VisibilityTimeout", value, spec.CheckVisibility)
	case "wait", "waittime":
		a.receive.wait, err = wholeSeconds("WaitTimeSeconds", value, spec.CheckWait)
	case "nackdelay":
		a.nackDelay, err = wholeSeconds("VisibilityTimeout", value, spec.CheckVisibility)
	case "nacklazy":
		a.nackLazy, err = boolean(value)
	case "snstopicarn":
		a.sns = value
		if !strings.HasPrefix(value, "arn:") || strings.Count(value, ":") != 5 {
			err = invalid("want an ARN such as arn:aws:sns:us-east-1:123456789012:donations")
		}
	case "endpoint":
		err = a.setEndpoint(value)
	case "hostname_immutable", "anonymous", "dualstack", "fips":
		_, err = boolean(value)
		a.config.Set(name, value)
	default:
		if value == "" {
			err = invalid("the value is empty")
		}
		if name == "region" {
			a.region = value
		}
		a.config.Set(name, value)
	}
	if slices.Contains(connectionParams, name) {
		a.keep.Set(name, value)
	}
	return err
}

// setEndpoint has requests go to another place than the URL's host. If it is the
// same host, the queue's URL has its scheme.
func (a *address) setEndpoint(value string) error {
	e, err := url.Parse(value)
	if err != nil || e.Scheme != "http" && e.Scheme != "https" || e.Host == "" || e.User != nil || e.RawQuery != "" {
		return invalid("want an address such as http://127.0.0.1:9324")
	}
	a.endpoint = strings.TrimSuffix(value, "/")
	if q, err := url.Parse(a.queue); err == nil && a.queue != "" && q.Host == e.Host {
		q.Scheme = e.Scheme
		a.queue = q.String()
	}
	return nil
}

// reachable returns the URL that opens the queue which AWS or an endpoint calls
// queue: at the endpoint that was asked, if one was given, since what an endpoint
// calls itself need not be reachable from here.
func (a *address) reachable(queue string) (string, error) {
	q, err := url.Parse(queue)
	if err != nil || q.Host == "" {
		return "", fmt.Errorf("sqsbus: the endpoint answered with the queue URL %q", queue)
	}
	if e, err := url.Parse(a.endpoint); err == nil && e.Host != "" {
		q.Scheme, q.Host = e.Scheme, e.Host
	}
	keep := maps.Clone(a.keep)
	if keep.Get("region") == regionOf(q.Hostname()) {
		keep.Del("region")
	}
	q.RawQuery = keep.Encode()
	return q.String(), nil
}

// awsHosts match the hosts of queues on AWS, and find the region.
var awsHosts = []*regexp.Regexp{
	regexp.MustCompile(`^(?:vpce-[a-z0-9-]+\.)?sqs(?:-fips)?\.([a-z0-9-]+)\.(?:vpce\.)?(?:amazonaws\.com(?:\.cn)?|api\.aws)$`),
	regexp.MustCompile(`^([a-z]+-[a-z-]+-[0-9])\.queue\.amazonaws\.com(?:\.cn)?$`),
}

// regionOf returns the region of a queue's host on AWS, "" for any other host.
func regionOf(host string) string {
	if host == "queue.amazonaws.com" {
		return "us-east-1"
	}
	for _, re := range awsHosts {
		if m := re.FindStringSubmatch(host); m != nil {
			return m[1]
		}
	}
	return ""
}

// isLoopback reports whether a host is this machine.
func isLoopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

func wholeSeconds(what, value string, check func(time.Duration) error) (time.Duration, error) {
	d, err := time.ParseDuration(value)
	if err != nil {
		return 0, invalid("want a duration such as 5s or 1.5h")
	}
	if err := check(d); err != nil {
		return 0, err
	}
	return d, spec.CheckWholeSeconds(what, d)
}

func boolean(value string) (bool, error) {
	b, err := strconv.ParseBool(value)
	if err != nil {
		return false, invalid("want true or false")
	}
	return b, nil
}

// invalid is the error of a URL or a setting that makes no sense.
func invalid(format string, args ...any) error {
	return spec.Errorf(spec.InvalidParameterValue, format, args...)
}
