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

	"omnibus/bus/sqsserver"
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
//	topics:
//	  news:
//	    tags: {team: blue}
//	    subscriptions:
//	      - {queue: donors, raw: true, filter: {kind: [large]}, dlq: donors-dead}
//	places:
//	  - region: eu-west-1
//	    account: "123456789012"
//	    queues: {donors: }
//
// A queue's members are its attributes as CreateQueue takes them, its tags, and its
// dead-letter queue by name, in place of a RedrivePolicy with an ARN; a topic's are
// its attributes, tags and subscriptions, and a subscription's are its queue, or its
// protocol and endpoint, and its attributes, for which raw, filter and dlq stand.
// All may stand in any order. Names are those of the same region and account, which
// are those of the command line where the file, or a place in it, has no others. A
// file of nothing but queues may leave out the first line, unless one of them has the name
// of a section, such as region.
type queueFile struct {
	places []*placeSpec
}

// placeSpec is what there is in an account in a region.
type placeSpec struct {
	region, account string // "" means that of the command line
	queues          []*queueSpec
	topics          []*topicSpec
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
var sections = []string{"queues", "topics", "places", "region", "account"}

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
	if err := notBoth(members); err != nil {
		return nil, err
	}
	if len(members) == 0 || !isSection(members[0]) {
		members = []member{{name: "queues", value: root}}
	}
	f := &queueFile{}
	return f, f.parsePlace(members, true)
}

func isSection(m member) bool { return slices.Contains(sections, m.name) }

// notBoth reports a file that can be read in two ways: as one of nothing but queues, of
// which one has the name of a section, and as one of sections, with a name that is none
// or with nothing in any of them.
func notBoth(members []member) error {
	section := slices.IndexFunc(members, isSection)
	if section < 0 {
		return nil
	}
	other := slices.IndexFunc(members, func(m member) bool { return !isSection(m) })
	if other >= 0 {
		return &lineError{members[other].line, fmt.Errorf("%s stands beside %s: if both are queues, put them below queues:, where every name is a queue's; else only %s stand here",
			members[other].name, members[section].name, strings.Join(sections, ", "))}
	}
	if !slices.ContainsFunc(members, func(m member) bool { return m.value.Tag != "!!null" }) {
		return &lineError{members[section].line, fmt.Errorf("there is nothing in %s; want a queue of that name below queues", members[section].name)}
	}
	return nil
}

// parsePlace reads a place. The outermost has others in it.
func (f *queueFile) parsePlace(members []member, outermost bool) error {
	p := &placeSpec{}
	f.places = append(f.places, p)
	for _, m := range members {
		var err error
		switch {
		case m.name == "region":
			p.region, err = valueText(m.value)
		case m.name == "account":
			p.account, err = valueText(m.value)
		case m.name == "queues":
			p.queues, err = each(m.value, "queue", parseQueue)
		case m.name == "topics":
			p.topics, err = each(m.value, "topic", parseTopic)
		case m.name == "places" && outermost:
			err = f.parsePlaces(m.value)
		default:
			err = &lineError{m.line, fmt.Errorf("%s is not a member of a place; want region, account, queues, topics", m.name)}
		}
		if err != nil {
			return lined(m.line, err)
		}
	}
	if err := sqsserver.CheckOptions(&sqsserver.Options{Region: p.region, Account: p.account}); err != nil {
		return lined(members[0].line, err)
	}
	return nil
}

func (f *queueFile) parsePlaces(n *yaml.Node) error {
	n = aliased(n)
	if n.Kind != yaml.SequenceNode {
		return &lineError{n.Line, errors.New("want places, a list")}
	}
	for _, place := range n.Content {
		members, err := mapping(place, "a place with region, account, queues, topics")
		if err == nil && len(members) > 0 {
			err = f.parsePlace(members, false)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// each parses the members of a mapping from names to a kind of thing.
func each[T any](n *yaml.Node, kind string, parse func(member) (T, error)) ([]T, error) {
	members, err := mapping(n, kind+"s by name")
	if err != nil {
		return nil, err
	}
	var all []T
	for _, m := range members {
		parsed, err := parse(m)
		if err != nil {
			return nil, within(kind+" "+m.name, m.line, err)
		}
		all = append(all, parsed)
	}
	return all, nil
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

// aliased returns the value that an alias stands for; any other value as it is.
func aliased(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// mapping returns the members of a mapping in their order. No value is an empty
// mapping.
func mapping(n *yaml.Node, of string) ([]member, error) {
	n = aliased(n)
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
	n = aliased(n)
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

// lined returns the error with a line, unless it has one.
func lined(line int, err error) error {
	if _, ok := errors.AsType[*lineError](err); ok {
		return err
	}
	return &lineError{line, err}
}

// within returns the error with what it is in, behind its line if it has one, or
// else the one given.
func within(what string, line int, err error) error {
	if e, ok := errors.AsType[*lineError](err); ok {
		line, err = e.line, e.err
	}
	return &lineError{line, fmt.Errorf("%s: %w", what, err)}
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

// names returns the names of the queues, of where the command line is, that are not
// the dead-letter queue of another, in the order of the file, and then of those that
// are.
func (f *queueFile) names() []string {
	dead := map[string]bool{}
	var names []string
	for _, p := range f.places {
		if p.region+p.account != "" {
			continue
		}
		for _, q := range p.queues {
			names = append(names, q.name)
			if q.dlq != q.name {
				dead[q.dlq] = true
			}
			// By ARN, as the API has it.
			if policy := q.attributes[redrivePolicy]; policy != "" {
				dead[lastPart(redriveTarget(policy))] = true
			}
		}
	}
	return deadLast(names, dead)
}

// deadLast returns names with those of dead-letter queues behind the others.
func deadLast(names []string, dead map[string]bool) []string {
	rank := func(name string) int {
		if dead[name] {
			return 1
		}
		return 0
	}
	return slices.SortedStableFunc(slices.Values(names), func(a, b string) int { return rank(a) - rank(b) })
}

// redriveTarget returns the ARN of the dead-letter queue of a redrive policy, "" if
// it has none.
func redriveTarget(policy string) string {
	var p struct {
		DeadLetterTargetArn string `json:"deadLetterTargetArn"`
	}
	_ = json.Unmarshal([]byte(policy), &p) // the API refuses what is none
	return p.DeadLetterTargetArn
}

// lastPart returns the name in an ARN.
func lastPart(arn string) string { return arn[strings.LastIndexByte(arn, ':')+1:] }
