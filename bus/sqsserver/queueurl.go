package sqsserver

import (
	"cmp"
	"strings"

	"omnibus/bus/engine"
	"omnibus/bus/spec"
)

// queueURL returns the URL of a queue as the client of this request reaches it. A
// host of the form sqs.REGION.… says the region; on another, that of a queue which
// is not in the server's own region stands before the account.
func (c *call) queueURL(queue string) string {
	p, name := c.server.placed(queue)
	base := c.base()
	_, host, _ := strings.Cut(base, "://")
	if cmp.Or(regionOf(host), c.server.own.region) != p.region {
		base += "/" + p.region
	}
	return base + "/" + p.account + "/" + name
}

// queue returns the queue that a QueueUrl names, or the request's own path if
// there is none. Besides a region in the host or in the path, only the path's last
// two parts count, so that a URL printed for one host or scheme is good under
// another. A URL that says no region leads to the server's own, or to the caller's if
// there is no such queue: it may be written by hand, by one who knows of one region
// only. A queue's name will do too, as it does on AWS: in the caller's place.
func (c *call) queue(queueURL string) (*engine.Queue, error) {
	if queueURL == "" {
		path := strings.TrimRight(c.req.URL.Path, "/")
		if strings.Count(path, "/") < 2 {
			return nil, spec.Missing("QueueUrl")
		}
		queueURL = "http://" + c.req.Host + path
	}
	if !strings.Contains(queueURL, "/") {
		return c.queueNamed(c.place, queueURL)
	}
	p, name := splitQueueURL(queueURL)
	bare := p.region == ""
	if bare {
		p.region = c.server.own.region
	}
	if name == "" {
		return nil, spec.Errorf(spec.InvalidAddress, "The address %.200s is not valid for this endpoint.", queueURL)
	}
	if !spec.IsAccount(p.account) {
		return nil, spec.NoQueue(name)
	}
	q, err := c.queueNamed(p, name)
	if err != nil && bare && p.region != c.place.region {
		p.region = c.place.region
		return c.queueNamed(p, name)
	}
	return q, err
}

func (c *call) queueNamed(p place, name string) (*engine.Queue, error) {
	c.queueName = name
	if strings.Contains(name, "/") {
		return nil, spec.NoQueue(name)
	}
	return c.server.engine.Queue(c.server.scoped(p, name))
}

// splitQueueURL returns the place and the name in a queue's URL or path, which may
// end with a slash. A bare endpoint has no name, and most URLs say no region.
func splitQueueURL(u string) (p place, name string) {
	host := ""
	if _, rest, found := strings.Cut(u, "://"); found {
		host, u, _ = strings.Cut(rest, "/")
	}
	if i := strings.IndexAny(u, "?#"); i >= 0 {
		u = u[:i]
	}
	parts := strings.Split(strings.TrimRight(u, "/"), "/")
	n := len(parts)
	p.region = regionOf(host)
	if n >= 2 {
		p.account = parts[n-2]
	}
	if n >= 3 && isRegionName(parts[n-3]) {
		p.region = parts[n-3]
	}
	return p, parts[n-1]
}

// misplaced reports an action that was sent to the URL of a queue and is not one
// of that queue's.
func (c *call) misplaced(action string) error {
	if action != "CreateQueue" && action != "ListQueues" {
		return nil
	}
	if p, name := splitQueueURL(c.req.URL.Path); !spec.IsAccount(p.account) || name == "" {
		return nil
	}
	return noAction(action)
}

func noAction(name string) error {
	return spec.Errorf(codeInvalidAction, "The action %.80s is not valid for this endpoint.", name)
}

// isARN reports whether s has the form of an ARN, of whatever resource.
func isARN(s string) bool {
	return strings.HasPrefix(s, "arn:") && strings.Count(s, ":") >= 5
}
