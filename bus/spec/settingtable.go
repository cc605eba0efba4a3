package spec

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"time"
)

// The names of the attributes that rules speak of.
const (
	fifoQueue          = "FifoQueue"
	deduplicationScope = "DeduplicationScope"
	throughputLimit    = "FifoThroughputLimit"
	redrivePolicy      = "RedrivePolicy"
	redriveAllowPolicy = "RedriveAllowPolicy"
	policy             = "Policy"
	kmsKey             = "KmsMasterKeyId"
	kmsReusePeriod     = "KmsDataKeyReusePeriodSeconds"
	managedSSE         = "SqsManagedSseEnabled"
)

// A setting is an attribute that the owner of a queue can set: how it is found
// in a QueueSettings, what its values are, and how they are written.
type setting struct {
	name   string
	fifo   bool // only FIFO queues have it
	given  func(*QueueSettings) bool
	copy   func(to, from *QueueSettings)
	check  func(*QueueSettings) error // of the value given
	parse  func(to *QueueSettings, text string, n Namer) error
	format func(*QueueSettings, Namer) string
}

// settings are all settings, in the order in which SQS answers them.
var settings = []setting{
	secondsSetting("VisibilityTimeout", 0, MaxVisibility, func(s *QueueSettings) **time.Duration { return &s.Visibility }),
	field(setting{name: "MaximumMessageSize"}, func(s *QueueSettings) **int { return &s.MaxMessageBytes }, bytesText),
	secondsSetting("MessageRetentionPeriod", MinRetention, MaxRetention, func(s *QueueSettings) **time.Duration { return &s.Retention }),
	secondsSetting("DelaySeconds", 0, MaxDelay, func(s *QueueSettings) **time.Duration { return &s.Delay }),
	secondsSetting("ReceiveMessageWaitTimeSeconds", 0, MaxWait, func(s *QueueSettings) **time.Duration { return &s.Wait }),
	keptSetting(policy, false, true, func(value string) bool { return json.Valid([]byte(value)) }),
	field(setting{name: redrivePolicy}, func(s *QueueSettings) **DeadLetter { return &s.DeadLetter }, deadLetterText),
	field(setting{name: redriveAllowPolicy}, func(s *QueueSettings) **DeadLetterSources { return &s.DeadLetterSources }, sourcesText),
	field(setting{name: fifoQueue, fifo: true}, func(s *QueueSettings) **bool { return &s.FIFO }, boolText(fifoQueue)),
	field(setting{name: "ContentBasedDeduplication", fifo: true}, func(s *QueueSettings) **bool { return &s.ContentBasedDeduplication }, boolText("ContentBasedDeduplication")),
	field(setting{name: deduplicationScope, fifo: true}, func(s *QueueSettings) **bool { return &s.GroupDeduplication }, scopeText),
	keptSetting(throughputLimit, true, false, func(value string) bool { return value == "perQueue" || value == "perMessageGroupId" }),
	keptSetting(kmsKey, false, true, func(string) bool { return true }),
	keptSetting(kmsReusePeriod, false, false, func(value string) bool {
		n, err := strconv.Atoi(value)
		return err == nil && n >= 60 && n <= 86_400
	}),
	keptSetting(managedSSE, false, false, func(value string) bool { return value == "true" || value == "false" }),
}

// checkType reports an attribute that queues of a type do not have.
func (a setting) checkType(fifo bool) error {
	switch {
	case fifo || !a.fifo:
		return nil
	case a.name == deduplicationScope || a.name == throughputLimit:
		return Errorf(InvalidAttributeName, "You can specify the %s only when FifoQueue is set to true.", a.name)
	}
	err := UnknownAttribute(a.name)
	err.Detail = "it is for FIFO queues only"
	return err
}

// findSetting returns the setting of that name, or nil.
func findSetting(name string) *setting {
	i := slices.IndexFunc(settings, func(a setting) bool { return a.name == name })
	if i < 0 {
		return nil
	}
	return &settings[i]
}

// A text is how the values of a setting are checked, read and written.
type text[T any] struct {
	check  func(T) error
	parse  func(string, Namer) (T, error)
	format func(T, Namer) string
}

// field returns a as the setting that is the field which at finds.
func field[T any](a setting, at func(*QueueSettings) **T, t text[T]) setting {
	a.given = func(s *QueueSettings) bool { return *at(s) != nil }
	a.copy = func(to, from *QueueSettings) { *at(to) = *at(from) }
	a.check = func(s *QueueSettings) error { return t.check(**at(s)) }
	a.parse = func(to *QueueSettings, text string, n Namer) error {
		v, err := t.parse(text, n)
		if err == nil {
			*at(to) = &v
		}
		return err
	}
	a.format = func(s *QueueSettings, n Namer) string {
		if *at(s) == nil {
			return ""
		}
		return t.format(**at(s), n)
	}
	return a
}

func secondsSetting(name string, least, most time.Duration, at func(*QueueSettings) **time.Duration) setting {
	return field(setting{name: name}, at, text[time.Duration]{
		check: func(d time.Duration) error {
			if d < least || d > most {
				return outOfRange(name, SecondsText(d), SecondsText(least)+" to "+SecondsText(most)+" seconds")
			}
			return nil
		},
		parse: func(text string, _ Namer) (time.Duration, error) {
			n, err := parseInt(name, text)
			return time.Duration(n) * time.Second, err
		},
		format: func(d time.Duration, _ Namer) string { return SecondsText(d) },
	})
}

var bytesText = text[int]{
	check: func(n int) error {
		if n < MinMessageBytesLimit || n > MaxMessageBytes {
			return outOfRange("MaximumMessageSize", strconv.Itoa(n), strconv.Itoa(MinMessageBytesLimit)+" to "+strconv.Itoa(MaxMessageBytes)+" bytes")
		}
		return nil
	},
	parse:  func(text string, _ Namer) (int, error) { return parseInt("MaximumMessageSize", text) },
	format: func(n int, _ Namer) string { return strconv.Itoa(n) },
}

func boolText(name string) text[bool] {
	return text[bool]{
		check: func(bool) error { return nil },
		parse: func(text string, _ Namer) (bool, error) {
			b, ok := parseBool(text)
			if !ok {
				return false, badAttribute(name, "")
			}
			return b, nil
		},
		format: func(b bool, _ Namer) string { return strconv.FormatBool(b) },
	}
}

var scopeText = text[bool]{
	check: func(bool) error { return nil },
	parse: func(text string, _ Namer) (bool, error) {
		if text != "queue" && text != "messageGroup" {
			return false, badAttribute(deduplicationScope, "")
		}
		return text == "messageGroup", nil
	},
	format: func(group bool, _ Namer) string {
		if group {
			return "messageGroup"
		}
		return "queue"
	},
}

// keptSetting returns a setting that is an entry of Kept. Where the protocols can
// remove it, they do so with an empty value.
func keptSetting(name string, fifo, removable bool, ok func(value string) bool) setting {
	check := func(value string) error {
		if !ok(value) {
			return badAttribute(name, "")
		}
		return nil
	}
	return setting{
		name: name, fifo: fifo,
		given: func(s *QueueSettings) bool { _, given := s.Kept[name]; return given },
		copy:  func(to, from *QueueSettings) { setKept(to, name, from.Kept[name]) },
		check: func(s *QueueSettings) error {
			if s.Kept[name] == "" {
				return nil
			}
			return check(s.Kept[name])
		},
		parse: func(to *QueueSettings, text string, _ Namer) error {
			if b, isBool := parseBool(text); isBool && name == managedSSE {
				text = strconv.FormatBool(b)
			}
			if text != "" || !removable {
				if err := check(text); err != nil {
					return err
				}
			}
			setKept(to, name, text)
			return nil
		},
		format: func(s *QueueSettings, _ Namer) string { return unlessDefault(name, s.Kept[name]) },
	}
}

func setKept(s *QueueSettings, name, value string) {
	if s.Kept == nil {
		s.Kept = map[string]string{}
	}
	s.Kept[name] = value
}

// checkKeptNames reports an entry of Kept that is not one of those that queues
// keep.
func checkKeptNames(kept map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(kept)) {
		switch a := findSetting(name); {
		case a == nil:
			return UnknownAttribute(name)
		case !a.given(&QueueSettings{Kept: kept}):
			err := UnknownAttribute(name)
			err.Detail = "it is a field of the settings, not one of Kept"
			return err
		}
	}
	return nil
}

// parseInt reads a whole number of 32 bits.
func parseInt(name, text string) (int, error) {
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return 0, badAttribute(name, "")
	}
	return int(n), nil
}

// parseBool reads a boolean in the spellings that SQS takes.
func parseBool(text string) (b, ok bool) {
	switch text {
	case "true", "True", "TRUE":
		return true, true
	case "false", "False", "FALSE":
		return false, true
	}
	return false, false
}

// SecondsText returns a duration in seconds, as SQS writes them, with a fraction if
// it has one.
func SecondsText(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) }
