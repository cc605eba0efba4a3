package sqsserver

import (
	"strings"

	"omnibus/bus/engine"
	"omnibus/bus/sigv4"
	"omnibus/bus/spec"
)

// A place is an account in a region: each has queues of its own. The engine knows
// the queues of the server's own place by their names, and those of another by
// ACCOUNT/REGION/NAME, so that policies, dead letters and move tasks lead from one
// place to the other.
type place struct{ account, region string }

// caller returns the place that a request is from: the region of its signature, and
// the account that is its access key, if that is 12 digits.
func (s *Server) caller(c *call) place {
	p := s.own
	scope, _ := sigv4.ScopeOf(c.req)
	if account := scope.Account(); account != "" {
		p.account = account
	}
	if scope.Region != p.region && spec.IsRegion(scope.Region) {
		p.region = scope.Region
	}
	return p
}

// scoped returns the engine's name of a queue.
func (s *Server) scoped(p place, name string) string {
	if p == s.own {
		return name
	}
	return p.account + "/" + p.region + "/" + name
}

// placed returns the place and the plain name of a queue by the engine's name.
func (s *Server) placed(queue string) (place, string) {
	if parts := strings.SplitN(queue, "/", 3); len(parts) == 3 {
		return place{account: parts[0], region: parts[1]}, parts[2]
	}
	return s.own, queue
}

// list returns the names, as the engine knows them, of the queues of a place.
func (s *Server) list(p place, prefix string) []string {
	names := s.engine.List(s.scoped(p, prefix))
	if p != s.own {
		return names
	}
	own := names[:0]
	for _, name := range names {
		if !strings.Contains(name, "/") {
			own = append(own, name)
		}
	}
	return own
}

// ARN returns the ARN of the queue that the engine knows by that name.
func (s *Server) ARN(queue string) string {
	p, name := s.placed(queue)
	return "arn:" + spec.Partition(p.region) + ":sqs:" + p.region + ":" + p.account + ":" + name
}

// QueueOf returns the name by which the engine knows the queue with that ARN, which
// need not exist. It reports false for what is no queue's ARN.
func (s *Server) QueueOf(arn string) (string, bool) {
	parts := strings.Split(arn, ":")
	if len(parts) != 6 || parts[2] != "sqs" || !spec.IsRegion(parts[3]) || !spec.IsAccount(parts[4]) || spec.CheckQueueName(parts[5]) != nil {
		return "", false
	}
	queue := s.scoped(place{account: parts[4], region: parts[3]}, parts[5])
	return queue, s.ARN(queue) == arn
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

// regionOf returns the region that a host says, as AWS's sqs.REGION.… do, or "".
func regionOf(host string) string {
	if rest, found := strings.CutPrefix(host, "sqs."); found {
		if region, _, more := strings.Cut(rest, "."); more && isRegionName(region) {
			return region
		}
	}
	return ""
}

// isRegionName reports whether s has the form of AWS's names, us-gov-east-1, as
// hosts and paths can say them: what is taken for one there is taken for no name.
func isRegionName(s string) bool {
	words, digit := s, byte(0)
	if n := len(s); n > 2 && s[n-2] == '-' {
		words, digit = s[:n-2], s[n-1]
	}
	if digit < '0' || digit > '9' {
		return false
	}
	count := 0
	for word := range strings.SplitSeq(words, "-") {
		if word == "" || count == 0 && len(word) < 2 || strings.Trim(word, "abcdefghijklmnopqrstuvwxyz") != "" {
			return false
		}
		count++
	}
	return count >= 2
}
