package sqsserver

import (
	"strings"

	"omnibus/bus/engine"
	"omnibus/bus/spec"
)

// queueURL returns the URL of a queue as the client of this request reaches it.
func (c *call) queueURL(name string) string {
	return c.base() + "/" + c.server.account + "/" + name
}

// queue returns the queue that a QueueUrl names, or the request's own path if
// there is none. Only the path's last two parts count, so that a URL printed for
// one host or scheme is good under another. A queue's name will do too, as it
// does on AWS.
func (c *call) queue(queueURL string) (*engine.Queue, error) {
	if queueURL == "" {
		queueURL = strings.TrimRight(c.req.URL.Path, "/")
		if strings.Count(queueURL, "/") < 2 {
			return nil, spec.Missing("QueueUrl")
		}
	}
	if !strings.Contains(queueURL, "/") {
		return c.queueNamed(queueURL)
	}
	account, name := splitQueueURL(queueURL)
	if name == "" {
		return nil, spec.Errorf(spec.InvalidAddress, "The address %.200s is not valid for this endpoint.", queueURL)
	}
	if account != c.server.account {
		return nil, spec.NoQueue(name)
	}
	return c.queueNamed(name)
}

func (c *call) queueNamed(name string) (*engine.Queue, error) {
	c.queueName = name
	return c.server.engine.Queue(name)
}

// splitQueueURL returns the account and the name in a queue's URL or path, which
// may end with a slash. A bare endpoint has neither.
func splitQueueURL(u string) (account, name string) {
	if _, rest, found := strings.Cut(u, "://"); found {
		_, u, _ = strings.Cut(rest, "/")
	}
	if i := strings.IndexAny(u, "?#"); i >= 0 {
		u = u[:i]
	}
	u = strings.TrimRight(u, "/")
	i := strings.LastIndexByte(u, '/')
	name = u[i+1:]
	if i >= 0 {
		u = u[:i]
		account = u[strings.LastIndexByte(u, '/')+1:]
	}
	return account, name
}

// misplaced reports an action that was sent to the URL of a queue and is not one
// of that queue's.
func (c *call) misplaced(action string) error {
	if action != "CreateQueue" && action != "ListQueues" {
		return nil
	}
	if account, name := splitQueueURL(c.req.URL.Path); !isAccount(account) || name == "" {
		return nil
	}
	return noAction(action)
}

func noAction(name string) error {
	return spec.Errorf(codeInvalidAction, "The action %.80s is not valid for this endpoint.", name)
}

// ARN returns the ARN of the queue with that name.
func (s *Server) ARN(name string) string {
	partition := "aws"
	switch {
	case strings.HasPrefix(s.region, "cn-"):
		partition = "aws-cn"
	case strings.HasPrefix(s.region, "us-gov-"):
		partition = "aws-us-gov"
	}
	return "arn:" + partition + ":sqs:" + s.region + ":" + s.account + ":" + name
}

// Queue returns the queue with that ARN, in whatever region and account, or the
// error QueueDoesNotExist. It is for services beside SQS that send to queues, in the
// same process and by the same clock, [engine.Engine.Now].
func (s *Server) Queue(arn string) (*engine.Queue, error) {
	name, ok := s.QueueOf(arn)
	if !ok {
		return nil, spec.NoQueue(arn)
	}
	return s.engine.Queue(name)
}

// QueueOf returns the name of the queue with that ARN, which need not exist. It
// reports false for ARNs of other services, regions and accounts.
func (s *Server) QueueOf(arn string) (string, bool) {
	return strings.CutPrefix(arn, s.ARN(""))
}

// isARN reports whether s has the form of an ARN, of whatever resource.
func isARN(s string) bool {
	return strings.HasPrefix(s, "arn:") && strings.Count(s, ":") >= 5
}
