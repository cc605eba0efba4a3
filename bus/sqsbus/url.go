package sqsbus

import (
	"fmt"
	"maps"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"omnibus/bus/driver"
	"omnibus/bus/spec"
)

// An address is what a URL says.
type address struct {
	name     string     // of the queue; "" if the URL names a place only
	queue    string     // the queue's URL, as requests name it
	topicARN string     // of awssns URLs
	endpoint string     // where requests go; "" means where the SDK sends them
	home     string     // region in which the place is to which requests go, "" if it is not of AWS
	region   string     // for which requests are signed; "" means that of the configuration
	keep     url.Values // parameters that the URLs of queues created or listed have too

	receive receiveOptions
	sns     string // ARN of the topic whose envelopes are opened
	stock   bool   // the ends are those of the Go CDK's own driver

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
	receiveParams    = []string{"driver", "raw", "snstopicarn", "visibility", "wait", "waittime"}
)

// parse reads a URL that names a queue, a topic, or a place if nameless is set.
func parse(u *url.URL, nameless bool) (*address, error) {
	a := &address{config: url.Values{}, keep: url.Values{}}
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
	if !a.stock && !query.Has("wait") && !query.Has("waittime") {
		a.receive.wait = spec.MaxWait
	}
	switch {
	case a.stock && a.receive.visibility != nil:
		return nil, invalid("parameter visibility does not apply: driver=stock receives with the queue's own visibility timeout")
	case query.Has("wait") && query.Has("waittime"):
		return nil, invalid("wait and waittime are the same; give one")
	case raw && a.sns != "":
		return nil, invalid("raw=true and snstopicarn exclude each other: with snstopicarn SNS's envelopes are opened, raw messages have none")
	case query.Has("raw") && !raw && a.sns == "":
		return nil, invalid("raw=false needs snstopicarn, the topic whose envelopes are opened: without it any sender could forge them")
	case query.Has("hostname_immutable") && !query.Has("endpoint"):
		return nil, invalid("hostname_immutable is said of an endpoint, and the parameter endpoint is not given")
	case a.home != "" && a.region != a.home:
		return nil, invalid("parameter region=%s does not apply: requests go to region %s, which the URL names", a.region, a.home)
	}
	return a, a.checkChoices()
}

// checkChoices refuses parameters that choose among the endpoints of a region, where
// the URL names the endpoint.
func (a *address) checkChoices() error {
	for _, name := range []string{"dualstack", "fips"} {
		if chosen, _ := strconv.ParseBool(a.config.Get(name)); chosen && a.endpoint != "" {
			return invalid("parameter %s does not apply: requests go to %s, which the URL names; have the SDK choose with awssqs://sqs.REGION.amazonaws.com/ACCOUNT/NAME?%s=true, or name another host", name, a.endpoint, name)
		}
	}
	return nil
}

// topic reads the ARN of an SNS topic.
func (a *address) topic(u *url.URL) error {
	a.topicARN = strings.TrimPrefix(path.Join(u.Host, u.Path), "/")
	parts := strings.Split(a.topicARN, ":")
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != "sns" || parts[5] == "" {
		return invalid("%q is no topic; want awssns:///arn:aws:sns:REGION:ACCOUNT:NAME", a.topicARN)
	}
	a.home, a.region = parts[3], parts[3]
	return nil
}

// place reads a queue's URL.
func (a *address) place(u *url.URL, nameless bool) error {
	if u.Host == "" {
		return invalid("the URL has no host; want %s://HOST/ACCOUNT/NAME", u.Scheme)
	}
	scheme, host := u.Scheme, strings.ToLower(u.Host)
	if scheme == SchemeSQS {
		scheme = "https"
		if isLoopback(u.Hostname()) {
			scheme = "http"
		}
	}
	origin := scheme + "://" + host
	a.home = regionOf(u.Hostname())
	a.region = a.home
	if u.Scheme != SchemeSQS || a.region == "" || host != awsHost(a.region, false, false) {
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
	case "snstopicarn":
		a.sns = value
		if !strings.HasPrefix(value, "arn:") || strings.Count(value, ":") != 5 {
			err = invalid("want an ARN such as arn:aws:sns:us-east-1:123456789012:donations")
		}
	case "endpoint":
		err = a.setEndpoint(value)
	case "driver":
		if a.stock = value == "stock"; !a.stock {
			err = invalid("want stock, the Go CDK's own; without the parameter it is this package's")
		}
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
	if name == "driver" || slices.Contains(connectionParams, name) {
		a.keep.Set(name, value)
	}
	return err
}

// setEndpoint makes requests go to another place than the URL's host. If it is the
// same host, the queue's URL gets its scheme.
func (a *address) setEndpoint(value string) error {
	e, err := url.Parse(value)
	if err != nil || e.Scheme != "http" && e.Scheme != "https" || e.Host == "" || e.User != nil || e.RawQuery != "" || e.Fragment != "" {
		return invalid("want an address such as http://127.0.0.1:9324")
	}
	e.Host = strings.ToLower(e.Host)
	a.endpoint = strings.TrimSuffix(e.String(), "/")
	if a.home = regionOf(e.Hostname()); a.home != "" {
		a.region = a.home
	}
	if q, err := url.Parse(a.queue); err == nil && a.queue != "" && q.Host == e.Host {
		q.Scheme = e.Scheme
		a.queue = q.String()
	}
	return nil
}

// reachable returns the URL that opens the queue which AWS or an endpoint calls
// queue. What an endpoint calls itself need not be reachable from here, so the URL
// has the host that was asked. What else it takes to open it is in its parameters: an
// endpoint below a path, the region, and whatever was said of the connection.
func (a *address) reachable(queue string) (string, error) {
	called, err := url.Parse(queue)
	if err != nil || called.Host == "" {
		return "", fmt.Errorf("sqsbus: the endpoint answered with the queue URL %q", driver.Redact(queue))
	}
	q := url.URL{Path: called.Path, RawPath: called.RawPath}
	keep := maps.Clone(a.keep)
	keep.Del("hostname_immutable")
	keep.Del("region")
	if a.endpoint == "" { // the SDK has found the endpoint, and will again
		q.Scheme, q.Host = SchemeSQS, awsHost(a.region, false, false)
	} else {
		e, err := url.Parse(a.endpoint)
		if err != nil {
			return "", err
		}
		q.Scheme, q.Host = e.Scheme, e.Host
		if e.Path != "" {
			keep.Set("endpoint", a.endpoint)
		}
	}
	if a.region != regionOf(q.Hostname()) {
		keep.Set("region", a.region)
	}
	q.RawQuery = keep.Encode()
	return q.String(), nil
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
