package spec_test

import (
	"testing"
	"time"

	"omnibus/bus/spec"
)

func TestSettingsInRange(t *testing.T) {
	for name, s := range map[string]spec.QueueSettings{
		"none given": {},
		"the least": {
			Delay: new(time.Duration(0)), Visibility: new(time.Duration(0)), Retention: new(time.Minute), Wait: new(time.Duration(0)),
			MaxMessageBytes: new(1024), DeadLetter: &spec.DeadLetter{Queue: "d", MaxReceives: 1},
		},
		"the most": {
			Delay: new(15 * time.Minute), Visibility: new(12 * time.Hour), Retention: new(14 * 24 * time.Hour), Wait: new(20 * time.Second),
			MaxMessageBytes: new(1048576), DeadLetter: &spec.DeadLetter{Queue: "d", MaxReceives: 1000},
		},
		"a fraction of a second": {Visibility: new(time.Millisecond)},
		"no policy":              {DeadLetter: &spec.DeadLetter{}},
	} {
		t.Run(name, func(t *testing.T) { check(t, s.Check(), "") })
	}
}

func TestSettingsOutOfRange(t *testing.T) {
	for _, c := range []struct {
		settings spec.QueueSettings
		code     spec.Code
		parts    []string
	}{
		{spec.QueueSettings{Delay: new(901 * time.Second)}, spec.InvalidAttributeValue, []string{"DelaySeconds", "901 is", "0 to 900 seconds"}},
		{spec.QueueSettings{Delay: new(-time.Second)}, spec.InvalidAttributeValue, []string{"DelaySeconds", "-1 is", "0 to 900 seconds"}},
		{spec.QueueSettings{Visibility: new(43201 * time.Second)}, spec.InvalidAttributeValue, []string{"VisibilityTimeout", "43201 is", "0 to 43200 seconds"}},
		{spec.QueueSettings{Visibility: new(time.Duration(-1))}, spec.InvalidAttributeValue, []string{"VisibilityTimeout", "-0.000000001 is", "0 to 43200 seconds"}},
		{spec.QueueSettings{Retention: new(59 * time.Second)}, spec.InvalidAttributeValue, []string{"MessageRetentionPeriod", "59 is", "60 to 1209600 seconds"}},
		{spec.QueueSettings{Retention: new(14*24*time.Hour + 1)}, spec.InvalidAttributeValue, []string{"MessageRetentionPeriod", "1209600.000000001 is", "60 to 1209600 seconds"}},
		{spec.QueueSettings{Wait: new(21 * time.Second)}, spec.InvalidAttributeValue, []string{"ReceiveMessageWaitTimeSeconds", "21 is", "0 to 20 seconds"}},
		{spec.QueueSettings{MaxMessageBytes: new(1023)}, spec.InvalidAttributeValue, []string{"MaximumMessageSize", "1023", "1024 to 1048576 bytes"}},
		{spec.QueueSettings{MaxMessageBytes: new(1048577)}, spec.InvalidAttributeValue, []string{"MaximumMessageSize", "1048577", "1024 to 1048576 bytes"}},
		{spec.QueueSettings{DeadLetter: &spec.DeadLetter{Queue: "d"}}, spec.InvalidParameterValue, []string{"RedrivePolicy", "maxReceiveCount: 0", "from 1 to 1000"}},
		{spec.QueueSettings{DeadLetter: &spec.DeadLetter{Queue: "d", MaxReceives: 1001}}, spec.InvalidParameterValue, []string{"RedrivePolicy", "maxReceiveCount: 1001", "from 1 to 1000"}},
		{spec.QueueSettings{DeadLetter: &spec.DeadLetter{MaxReceives: 3}}, spec.InvalidParameterValue, []string{"RedrivePolicy", "deadLetterTargetArn"}},
	} {
		check(t, c.settings.Check(), c.code, c.parts...)
	}
}

func TestChecksOfRequests(t *testing.T) {
	for _, c := range []struct {
		name     string
		check    func(time.Duration) error
		most     time.Duration
		overMost []string
		under    []string
	}{
		{"delay", spec.CheckDelay, 900 * time.Second, []string{"Value 900.000000001 for parameter DelaySeconds", ">= 0 and <= 900"}, []string{"Value -0.000000001"}},
		{"visibility", spec.CheckVisibility, 43200 * time.Second, []string{"Value 43200.000000001 for parameter VisibilityTimeout", ">= 0 and <= 43200"}, []string{"Value -0.000000001"}},
		{"change of visibility", spec.CheckVisibilityChange, 43200 * time.Second, []string{"Value 43200.000000001 for parameter VisibilityTimeout", "between 0 and 43200"}, []string{"Value -0.000000001"}},
		{"wait", spec.CheckWait, 20 * time.Second, []string{"Value 20.000000001 for parameter WaitTimeSeconds", ">= 0 and <= 20"}, []string{"Value -0.000000001"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			check(t, c.check(0), "")
			check(t, c.check(c.most), "")
			check(t, c.check(c.most+1), spec.InvalidParameterValue, c.overMost...)
			check(t, c.check(-1), spec.InvalidParameterValue, c.under...)
		})
	}
}

func TestCheckWholeSeconds(t *testing.T) {
	check(t, spec.CheckWholeSeconds("DelaySeconds", 0), "")
	check(t, spec.CheckWholeSeconds("DelaySeconds", 7*time.Second), "")
	check(t, spec.CheckWholeSeconds("DelaySeconds", 1500*time.Millisecond), spec.InvalidParameterValue, "DelaySeconds", "1.5s", "whole seconds")
}
