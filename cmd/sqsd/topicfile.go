package main

import (
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// topicSpec is a topic in the file of -queues.
type topicSpec struct {
	name          string
	attributes    map[string]string
	tags          map[string]string
	subscriptions []*subscriptionSpec
	line          int
}

type subscriptionSpec struct {
	queue              string // its name, or with protocol and endpoint ""
	protocol, endpoint string
	dlq                string // the dead-letter queue's name
	attributes         map[string]string
	line               int
}

func parseTopic(m member) (*topicSpec, error) {
	t := &topicSpec{name: m.name, attributes: map[string]string{}, tags: map[string]string{}, line: m.line}
	members, err := mapping(m.value, "a topic's attributes")
	if err != nil {
		return nil, unlined(err)
	}
	for _, a := range members {
		switch a.name {
		case "tags":
			t.tags, err = texts(a.value, "tags")
		case "subscriptions":
			t.subscriptions, err = parseSubscriptions(a.value)
		default:
			t.attributes[a.name], err = valueText(a.value)
		}
		if err != nil {
			return nil, within(a.name, a.line, err)
		}
	}
	if strings.HasSuffix(t.name, ".fifo") && t.attributes["FifoTopic"] == "" {
		t.attributes["FifoTopic"] = "true" // the name says it
	}
	return t, nil
}

func parseSubscriptions(n *yaml.Node) ([]*subscriptionSpec, error) {
	n = aliased(n)
	if n.Kind != yaml.SequenceNode {
		return nil, &lineError{n.Line, errors.New("want subscriptions, a list")}
	}
	var all []*subscriptionSpec
	for _, item := range n.Content {
		s, err := parseSubscription(item)
		if err != nil {
			return nil, lined(item.Line, err)
		}
		all = append(all, s)
	}
	return all, nil
}

func parseSubscription(n *yaml.Node) (*subscriptionSpec, error) {
	s := &subscriptionSpec{attributes: map[string]string{}, line: n.Line}
	members, err := mapping(n, "a subscription's attributes")
	if err != nil {
		return nil, err
	}
	for _, a := range members {
		text, err := valueText(a.value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", a.name, err)
		}
		switch a.name {
		case "queue":
			s.queue = text
		case "protocol":
			s.protocol = text
		case "endpoint":
			s.endpoint = text
		case "dlq":
			s.dlq = text
		case "raw":
			s.attributes["RawMessageDelivery"] = text
		case "filter":
			s.attributes["FilterPolicy"] = text
		default:
			s.attributes[a.name] = text
		}
	}
	if (s.queue == "") == (s.protocol == "" || s.endpoint == "") || s.queue != "" && s.protocol+s.endpoint != "" {
		return nil, errors.New("a subscription has a queue, or a protocol and an endpoint")
	}
	return s, nil
}
