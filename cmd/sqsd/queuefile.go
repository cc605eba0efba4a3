package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// The file of -queues says what there is at the start, in YAML or in JSON, which
// is YAML too:
//
//	queues:
//	  donors:
//	    VisibilityTimeout: 60
//	    dlq: donors-dead
//	    maxReceiveCount: 3
//	    tags: {team: blue}
//	  donors-dead:
//
// A queue's members are its attributes as CreateQueue takes them, its tags, and its
// dead-letter queue by name, in place of a RedrivePolicy with an ARN. Queues may
// stand in any order. A file of nothing but queues may leave out the first line.
type queueFile struct {
	queues []*queueSpec // in the order of the file
}

type queueSpec struct {
	name            string
	attributes      map[string]string
	tags            map[string]string
	dlq             string // the dead-letter queue's name
	maxReceiveCount string // with dlq only
	line            int
}

// A lineError is an error of a line of the file.
type lineError struct {
	line int
	err  error
}

func (e *lineError) Error() string { return fmt.Sprintf("%d: %v", e.line, e.err) }
func (e *lineError) Unwrap() error { return e.err }

// sections are the members of a file that is not of nothing but queues.
var sections = []string{"queues"}

// parseQueueFile reads a file. An error begins with the line.
func parseQueueFile(text []byte) (*queueFile, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var document, next yaml.Node
	switch err := decoder.Decode(&document); {
	case err == io.EOF:
		return nil, &lineError{1, errors.New("the file is empty; want queues by name")}
	case err != nil:
		return nil, syntaxError(err)
	}
	switch err := decoder.Decode(&next); {
	case err == nil:
		return nil, &lineError{next.Line, errors.New("a second document begins here; want one")}
	case err != io.EOF:
		return nil, syntaxError(err)
	}
	root := document.Content[0]
	members, err := mapping(root, "queues by name")
	if err != nil {
		return nil, err
	}
	f := &queueFile{}
	if len(members) == 0 || slices.ContainsFunc(members, func(m member) bool { return !slices.Contains(sections, m.name) }) {
		members = []member{{name: "queues", value: root}}
	}
	for _, m := range members {
		queues, err := mapping(m.value, "queues by name")
		if err != nil {
			return nil, err
		}
		for _, q := range queues {
			parsed, err := parseQueue(q)
			if err != nil {
				return nil, &lineError{q.line, fmt.Errorf("queue %s: %w", q.name, err)}
			}
			f.queues = append(f.queues, parsed)
		}
	}
	return f, nil
}

func parseQueue(m member) (*queueSpec, error) {
	q := &queueSpec{name: m.name, attributes: map[string]string{}, tags: map[string]string{}, line: m.line}
	members, err := mapping(m.value, "a queue's attributes")
	if err != nil {
		return nil, unlined(err)
	}
	for _, a := range members {
		switch a.name {
		case "dlq":
			q.dlq, err = valueText(a.value)
		case "maxReceiveCount":
			q.maxReceiveCount, err = valueText(a.value)
		case "tags":
			q.tags, err = texts(a.value, "tags")
		default:
			q.attributes[a.name], err = valueText(a.value)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", a.name, unlined(err))
		}
	}
	if (q.dlq == "") != (q.maxReceiveCount == "") {
		return nil, errors.New("dlq and maxReceiveCount go together: one names the dead-letter queue, the other after how many receives")
	}
	if q.dlq != "" && q.attributes[redrivePolicy] != "" {
		return nil, errors.New("dlq says what a RedrivePolicy does; want one of them")
	}
	if strings.HasSuffix(q.name, ".fifo") && q.attributes["FifoQueue"] == "" {
		q.attributes["FifoQueue"] = "true" // the name says it
	}
	return q, nil
}

// member is a member of a mapping.
type member struct {
	name  string
	line  int
	value *yaml.Node
}

// mapping returns the members of a mapping in their order. No value is an empty
// mapping.
func mapping(n *yaml.Node, of string) ([]member, error) {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return nil, nil
	}
	if n.Kind != yaml.MappingNode {
		return nil, &lineError{n.Line, fmt.Errorf("want %s, a mapping", of)}
	}
	seen := map[string]bool{}
	var members []member
	for i := 0; i < len(n.Content); i += 2 {
		key := n.Content[i]
		switch {
		case key.Kind != yaml.ScalarNode:
			return nil, &lineError{key.Line, errors.New("a name is not a text")}
		case key.Tag == "!!merge":
			return nil, &lineError{key.Line, errors.New("<< is not supported; an alias is, for a whole value")}
		case seen[key.Value]:
			return nil, &lineError{key.Line, fmt.Errorf("%s is there twice", key.Value)}
		}
		seen[key.Value] = true
		members = append(members, member{key.Value, key.Line, n.Content[i+1]})
	}
	return members, nil
}

// texts returns a mapping of texts.
func texts(n *yaml.Node, of string) (map[string]string, error) {
	members, err := mapping(n, of)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, m := range members {
		if out[m.name], err = valueText(m.value); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// valueText returns a value as the API takes it: a text. What is none, such as a
// policy, becomes JSON.
func valueText(n *yaml.Node) (string, error) {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind == yaml.ScalarNode {
		if n.Tag == "!!null" {
			return "", errors.New("a value is missing")
		}
		return n.Value, nil
	}
	var value any
	if err := n.Decode(&value); err != nil {
		return "", syntaxError(err)
	}
	text, err := json.Marshal(value)
	if err != nil {
		return "", fmt.Errorf("a value that JSON does not have: %w", err)
	}
	return string(text), nil
}

// unlined returns the error without its line, where another line says more.
func unlined(err error) error {
	if e, ok := errors.AsType[*lineError](err); ok {
		return e.err
	}
	return err
}

var yamlLine = regexp.MustCompile(`^yaml: (?:unmarshal errors:\n  )?(?:line (\d+): )?`)

// syntaxError returns an error of package yaml with its line in front.
func syntaxError(err error) error {
	line := 1
	text := err.Error()
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		text = text[len(m[0]):]
		_, _ = fmt.Sscan(m[1], &line) // 1 if it does not say
	}
	return &lineError{line, errors.New(text)}
}

// names returns the names of the queues that are not the dead-letter queue of
// another, in the order of the file, and then of those that are.
func (f *queueFile) names() []string {
	dead := map[string]bool{}
	var names, last []string
	for _, q := range f.queues {
		if q.dlq != q.name {
			dead[q.dlq] = true
		}
		// By ARN, as the API has it.
		var policy struct {
			DeadLetterTargetArn string `json:"deadLetterTargetArn"`
		}
		if json.Unmarshal([]byte(q.attributes[redrivePolicy]), &policy) == nil {
			dead[policy.DeadLetterTargetArn[strings.LastIndexByte(policy.DeadLetterTargetArn, ':')+1:]] = true
		}
	}
	for _, q := range f.queues {
		if dead[q.name] {
			last = append(last, q.name)
		} else {
			names = append(names, q.name)
		}
	}
	return append(names, last...)
}
