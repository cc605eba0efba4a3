package spec

import "maps"

// keptDefaults are the values that an attribute has which was never given. A queue
// does not keep them.
var keptDefaults = map[string]string{managedSSE: "true", throughputLimit: "perQueue"}

// unlessDefault returns a value of a kept attribute, "" for the default.
func unlessDefault(name, value string) string {
	if value == keptDefaults[name] {
		return ""
	}
	return value
}

// keep returns the kept attributes with those given put over them. It does not
// change has, which others may hold.
func keep(has, given map[string]string) map[string]string {
	if len(given) == 0 {
		return has
	}
	out := maps.Clone(has)
	if out == nil {
		out = map[string]string{}
	}
	for name, value := range given {
		if value = unlessDefault(name, value); value == "" {
			delete(out, name)
		} else {
			out[name] = value
		}
	}
	if given[kmsKey] != "" {
		out[managedSSE] = "false" // and it stays so when the key is taken away
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// CheckOver reports settings that SQS would refuse for a queue with the attributes
// that it has now: both kinds of encryption at once, and a limit of throughput that
// does not fit the scope of deduplication.
func (s QueueSettings) CheckOver(a QueueAttributes) error {
	now := maps.Clone(a.Kept)
	if now == nil {
		now = map[string]string{}
	}
	maps.Copy(now, s.Kept)
	if s.Kept[managedSSE] == "true" && now[kmsKey] != "" {
		return Errorf(InvalidAttributeName, "You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS SSE.")
	}
	byGroup := a.GroupDeduplication
	if s.GroupDeduplication != nil {
		byGroup = *s.GroupDeduplication
	}
	if now[throughputLimit] == "perMessageGroupId" && !byGroup {
		return badAttribute(throughputLimit, "perMessageGroupId is allowed only when DeduplicationScope is messageGroup.")
	}
	return nil
}
