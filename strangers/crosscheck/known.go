//go:build strangers

package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// A difference is a known one.
type difference struct {
	is   func(exchange) bool
	why  string
	same bool // the queues are the same afterwards, so they are played on
}

// An exchange is a call with the answers of both sides.
type exchange struct{ call, ours, theirs string }

func (e exchange) String() string { return fmt.Sprintf("%s -> %s | %s", e.call, e.ours, e.theirs) }

// answers is a difference by regular expressions that match the whole call and the
// whole answers.
func answers(call, ours, theirs, why string) difference {
	c, o, t := whole(call), whole(ours), whole(theirs)
	return difference{why: why, is: func(e exchange) bool {
		return c.MatchString(e.call) && o.MatchString(e.ours) && t.MatchString(e.theirs)
	}}
}

func whole(expr string) *regexp.Regexp { return regexp.MustCompile(`(?s)^(?:` + expr + `)$`) }

// harmless returns the difference as one after which the queues are the same.
func (d difference) harmless() difference {
	d.same = true
	return d
}

// sendsBatch is a difference in entries of SendMessageBatch: those whose answers
// differ match.
func sendsBatch(entry, ours, theirs, why string) difference {
	one := answers(entry, ours, theirs, "")
	return difference{why: why, is: func(e exchange) bool {
		call, ok := strings.CutPrefix(e.call, "SendMessageBatch ")
		entries, os, ts := strings.Split(call, ", "), strings.Split(e.ours, ", "), strings.Split(e.theirs, ", ")
		if !ok || len(os) != len(entries) || len(ts) != len(entries) {
			return false
		}
		for i := range entries {
			if os[i] != ts[i] && !one.is(exchange{entries[i], os[i], ts[i]}) {
				return false
			}
		}
		return true
	}}
}

// receives is a difference in the messages of an answer that has some.
func receives(call, why string, is func(call string, ours, theirs []message) bool) difference {
	c := whole("ReceiveMessage " + call)
	return difference{why: why, is: func(e exchange) bool {
		return c.MatchString(e.call) && !strings.HasPrefix(e.ours+e.theirs, "error") && is(e.call, parse(e.ours), parse(e.theirs))
	}}
}

// A message is one in an answer.
type message struct{ body, group, attributes string }

var oneMessage = regexp.MustCompile(`\{("(?:(\w)/)?(?:[^"\\]|\\.)*") (attributes=[^}]*)\}`)

// parse returns the messages of an answer.
func parse(answer string) []message {
	var ms []message
	for _, m := range oneMessage.FindAllStringSubmatch(answer, -1) {
		ms = append(ms, message{m[1], m[2], m[3]})
	}
	return ms
}

// sameBodies reports whether these are the same messages, whatever their attributes.
func sameBodies(a, b []message) bool {
	return slices.EqualFunc(a, b, func(a, b message) bool { return a.body == b.body })
}

// firstOfGroups returns the first message of each group.
func firstOfGroups(ms []message) []message {
	return slices.CompactFunc(slices.Clone(ms), func(a, b message) bool { return a.group == b.group })
}

// known are the known differences, by endpoint. Where AWS's API reference
// (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/) says what
// is right, our answer is, unless the reason says otherwise.
var known = map[string][]difference{
	"fauxqs": {
		answers(`SendMessage ".*😀".*`, `sent .*`, `error InvalidMessageContents`,
			"SendMessage refuses characters from U+10000 on; AWS allows them"),
		sendsBatch(`.*😀.*`, `\w+ sent .*`, `\w+ failed InvalidMessageContents`,
			"SendMessageBatch refuses characters from U+10000 on; AWS allows them"),
		answers(`SendMessage .* delay=(901|-1) .*`, `error InvalidParameterValue`, `sent .*`,
			"SendMessage takes any delay; AWS takes 0 to 900 s"),
		sendsBatch(`.* delay=901`, `\w+ failed InvalidParameterValue`, `\w+ sent .*`,
			"SendMessageBatch takes any delay; AWS takes 0 to 900 s"),
		answers(`SendMessage .* (\.name=String:x|AWS\.name=String:x)`, `error InvalidParameterValue`, `sent .*`,
			"SendMessage takes attribute names that begin with a dot or with AWS., which AWS reserves"),
		answers(`SendMessage .* When=Date:today`, `error InvalidParameterValue`, `sent .*`,
			"SendMessage takes any type of attribute; AWS takes String, Number and Binary"),
		answers(`SendMessage .* (Amount=Number:twelve|Name=String:)`, `error InvalidParameterValue`, `sent .*`,
			"SendMessage takes attributes with empty values, and numbers that are none"),
		answers(`DeleteMessage of nothing`, `error ReceiptHandleIsInvalid`, `done, 0 fewer`,
			"DeleteMessage takes any text for a receipt handle").harmless(),
		answers(`ChangeMessageVisibility of nothing timeout=(0|1800)`, `error ReceiptHandleIsInvalid`, `error MessageNotInflight`,
			"ChangeMessageVisibility takes any text for a receipt handle of a message that is not in flight").harmless(),
		answers(`ChangeMessageVisibility (earlier )?of ".*", deleted timeout=(0|1800)`, `error InvalidParameterValue`, `error MessageNotInflight`,
			"ChangeMessageVisibility of a deleted message: AWS's reference has no code for that, AWS answers InvalidParameterValue").harmless(),
		answers(`ChangeMessageVisibility (earlier )?of "m.*", (in flight|given back) timeout=(0|1800)`, `done`, `error MessageNotInflight`,
			"ChangeMessageVisibility refuses a receipt handle that has expired or is superseded; AWS was recorded to take it as long as the message lives"),
		answers(`DeleteMessage (earlier )?of "\w/.*", (in flight|given back)`, `error InvalidParameterValue`, `done, 0 fewer`,
			"DeleteMessage on a FIFO queue takes a receipt handle that has expired, and deletes nothing; AWS refuses it").harmless(),
		answers(`DeleteMessage of "m.*", given back`, `done, 1 fewer`, `done, 0 fewer`,
			"DeleteMessage with the latest receipt handle of a message that is visible again deletes nothing; AWS deletes it"),
		answers(`GetQueueAttributes \[Colour\]`, `error InvalidAttributeName`, `map\[\]`,
			"GetQueueAttributes leaves out attributes that do not exist; AWS refuses to look for them").harmless(),
		answers(`GetQueueAttributes \[\]`, `map\[\]`, `map\[ApproximateNumberOfMessages:.*\]`,
			"GetQueueAttributes returns all attributes when none are asked for; AWS returns none").harmless(),
		answers(`SetQueueAttributes map\[RedrivePolicy:nonsense\]`, `error InvalidParameterValue`, `done`,
			"SetQueueAttributes takes any text for a redrive policy"),
		answers(`CreateQueue "same" map\[.*\]`, `error QueueAlreadyExists`, `error QueueNameExists`,
			"CreateQueue does not send the header x-amzn-query-error with the code that SDKs show").harmless(),
		answers(`CreateQueue "(not a name|x{81})" map\[\]`, `error InvalidParameterValue`, `done`,
			"CreateQueue takes any name").harmless(),
		receives(`max=10 .*`, "ReceiveMessage gives one message of a group at a time; AWS gives as many of a group as it can",
			func(_ string, ours, theirs []message) bool {
				return len(ours) > len(theirs) && sameBodies(firstOfGroups(ours), theirs)
			}),
		receives(`max=10 attributes=\[\] .*`, "ReceiveMessage returns all message attributes when none are asked for; AWS returns none",
			func(_ string, ours, theirs []message) bool {
				return sameBodies(ours, theirs) && !slices.ContainsFunc(ours, func(m message) bool { return m.attributes != "attributes=[] md5=" })
			}).harmless(),
		receives(`max=10 attributes=\[Name Job\.\*\] .*`, "ReceiveMessage takes the dot of Job.* for a part of the prefix",
			func(_ string, ours, theirs []message) bool {
				return sameBodies(ours, theirs) && slices.EqualFunc(ours, theirs, func(our, their message) bool {
					return our == their || strings.HasPrefix(our.attributes, "attributes=[JobType=") && their.attributes == "attributes=[] md5="
				})
			}).harmless(),
	},
	"local-aws-sqs": {
		answers(`SendMessage ".*(\\x01|\\ufffe)" .*`, `error InvalidMessageContents`, `sent .*`,
			"SendMessage takes characters that AWS refuses"),
		{why: "SendMessage has the wrong MD5 of attributes when a text is not ASCII; AWS's developer guide has the text in UTF-8",
			is: func(e exchange) bool {
				ours, theirs := strings.Fields(e.ours), strings.Fields(e.theirs)
				return strings.HasPrefix(e.call, "SendMessage ") && strings.Contains(e.call, " Name=String:Zoë 東京") &&
					len(ours) >= 3 && len(ours) == len(theirs) && slices.Equal(ours[:2], theirs[:2]) && slices.Equal(ours[3:], theirs[3:])
			}},
		answers(`SendMessage again ".*" .*, deleted`, `sent .* as before`, `sent \w+ \w*`,
			"SendMessage forgets a deduplication id when its message is deleted; AWS remembers it for 5 minutes"),
		answers(`SetQueueAttributes map\[(DelaySeconds:(901|soon)|MaximumMessageSize:100|MessageRetentionPeriod:59|ReceiveMessageWaitTimeSeconds:21|VisibilityTimeout:43201)\]`,
			`error InvalidAttributeValue`, `error InvalidParameterValue`,
			"SetQueueAttributes has another code for a value out of range").harmless(),
		answers(`CreateQueue "same" map\[DelaySeconds:1000( FifoQueue:true)?\]`, `error InvalidAttributeValue`, `error InvalidParameterValue`,
			"CreateQueue has another code for a value out of range").harmless(),
		answers(`CreateQueue "same" map\[.*\]`, `done`, `error QueueAlreadyExists`,
			"CreateQueue takes attributes that are not given for their defaults; AWS compares those given (see QueueNameExists)").harmless(),
		answers(`TagQueue (team|cost of it)= untag=false`, `map\[.*\]`, `error InvalidParameterValue`,
			"TagQueue refuses empty values; AWS's reference has no such rule"),
		{why: "GetQueueAttributes counts messages in flight as visible too", same: true,
			is: func(e exchange) bool {
				var ours, theirs counts
				_, errOurs := fmt.Sscanf(e.ours, countsFormat, &ours.visible, &ours.inFlight, &ours.delayed)
				_, errTheirs := fmt.Sscanf(e.theirs, countsFormat, &theirs.visible, &theirs.inFlight, &theirs.delayed)
				ours.visible += ours.inFlight
				return errOurs == nil && errTheirs == nil && e.call == "GetQueueAttributes of counts" && ours == theirs
			}},
		answers(`ChangeMessageVisibility (earlier )?of "m.*", deleted timeout=(0|1800)`, `error InvalidParameterValue`, `error ReceiptHandleIsInvalid`,
			"ChangeMessageVisibility of a deleted message: AWS's reference has no code for that, AWS answers InvalidParameterValue").harmless(),
		answers(`ChangeMessageVisibility (earlier )?of "\w/.*", given back timeout=(0|1800)`, `error MessageNotInflight`, `error InvalidParameterValue`,
			"ChangeMessageVisibility on a FIFO queue has another code for a message that is not in flight").harmless(),
		answers(`ChangeMessageVisibility earlier of "\w/.*", in flight timeout=(0|1800)`, `error MessageNotInflight`, `error InvalidParameterValue`,
			"ChangeMessageVisibility of an earlier delivery on a FIFO queue: AWS's reference does not say which code that has").harmless(),
		answers(`DeleteMessage earlier of "m.*", (in flight|given back)`, `done, 0 fewer`, `done, 1 fewer`,
			"DeleteMessage takes a receipt handle of an earlier delivery, which on AWS deletes nothing"),
		receives(`max=10 .* locked=\[\w.*\]`, "ReceiveMessage gives later messages of a group while one is in flight",
			func(call string, ours, theirs []message) bool {
				_, locked, _ := strings.Cut(call, "locked=")
				rest := slices.DeleteFunc(slices.Clone(theirs), func(m message) bool {
					return m.group != "" && strings.Contains(locked, m.group) && !slices.Contains(ours, m) // ours are those before the first in flight
				})
				return len(rest) < len(theirs) && slices.Equal(ours, rest)
			}),
	},
}
