package main

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

func deployed(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("../../deploy/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// manifests returns the objects of a file of Kubernetes' by their kinds.
func manifests(t *testing.T, name string) map[string]map[string]any {
	t.Helper()
	objects := map[string]map[string]any{}
	d := yaml.NewDecoder(strings.NewReader(deployed(t, name)))
	for {
		var o map[string]any
		if err := d.Decode(&o); errors.Is(err, io.EOF) {
			return objects
		} else if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		objects[o["kind"].(string)] = o
	}
}

// at returns what is at a path of keys in an object; lists have their first element.
func at(t *testing.T, o any, path ...string) any {
	t.Helper()
	for _, key := range path {
		if list, ok := o.([]any); ok {
			o = list[0]
		}
		m, ok := o.(map[string]any)
		if !ok || m[key] == nil {
			t.Fatalf("no %s in %v", strings.Join(path, "."), o)
		}
		o = m[key]
	}
	return o
}

// consumeFlags returns the value of a flag in a command line that consume takes.
func consumeFlags(t *testing.T, args []string) func(name string) string {
	t.Helper()
	w := newWorld(t)
	if r := w.run(append(args, "-queue", "shared://x", "-h")...); r.status != 0 {
		t.Errorf("%v: %s", args, r.stderr)
	}
	return func(name string) string {
		for i, arg := range args {
			if arg == "-"+name {
				return args[i+1]
			}
		}
		t.Errorf("no -%s in %v", name, args)
		return ""
	}
}

// Kubernetes and systemd give a consumer more time to stop than it takes.
func TestConsumersHaveTimeToStop(t *testing.T) {
	pod := at(t, manifests(t, "kubernetes/consumer.yaml")["Deployment"], "spec", "template", "spec")
	var args []string
	for _, arg := range at(t, pod, "containers", "args").([]any) {
		args = append(args, arg.(string))
	}
	grace := time.Duration(at(t, pod, "terminationGracePeriodSeconds").(int)) * time.Second
	unit := deployed(t, "systemd/omnibus-consumer@.service")
	line := regexp.MustCompile(`(?m)^ExecStart=/usr/local/bin/omnibus (.*)$`).FindStringSubmatch(unit)
	stop := regexp.MustCompile(`(?m)^TimeoutStopSec=(\d+)$`).FindStringSubmatch(unit)
	if line == nil || stop == nil {
		t.Fatal("the unit has no ExecStart or TimeoutStopSec")
	}
	limit, err := time.ParseDuration(stop[1] + "s")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args  []string
		limit time.Duration
	}{{args, grace}, {strings.Fields(line[1]), limit}} {
		drain, err := time.ParseDuration(consumeFlags(t, test.args)("drain-timeout"))
		if err != nil || drain >= test.limit {
			t.Errorf("%v takes %v to stop, and has %v", test.args, drain, test.limit)
		}
	}
	if port := at(t, pod, "containers", "ports", "containerPort").(int); port != 9464 || consumeFlags(t, args)("metrics") != "0.0.0.0:9464" {
		t.Errorf("probes ask port %d, and metrics are at %s", port, consumeFlags(t, args)("metrics"))
	}
}

// What dashboards, alerts and autoscalers ask for is what the programs serve.
func TestDashboardsAlertsAndScalersAskForWhatIsServed(t *testing.T) {
	var dashboard any
	if err := json.Unmarshal([]byte(deployed(t, "grafana/omnibus.json")), &dashboard); err != nil {
		t.Fatal(err)
	}
	var rules struct {
		Groups []struct {
			Rules []struct{ Record, Alert, Expr string }
		}
	}
	if err := yaml.Unmarshal([]byte(deployed(t, "prometheus/rules.yaml")), &rules); err != nil {
		t.Fatal(err)
	}
	known := sources(t, "../../watch/metrics/queues.go", "../../workers/watch.go", "../../workers/handling.go", "../../workers/sending.go")
	for _, r := range rules.Groups[0].Rules {
		known += r.Record + "\n"
	}
	scaled := manifests(t, "kubernetes/keda.yaml")["ScaledObject"]
	text := deployed(t, "grafana/omnibus.json") + deployed(t, "prometheus/rules.yaml") + at(t, scaled, "spec", "triggers", "metadata", "valueLocation").(string)
	names := regexp.MustCompile(`\b(omnibus|messaging)[_:][a-z_]+[{\[), ]`).FindAllString(text, -1)
	if len(names) < 30 {
		t.Errorf("they ask for %d metrics: %s", len(names), names)
	}
	for _, name := range names {
		name = strings.TrimRight(name, "{[), ")
		if name == "messaging_destination_name" {
			continue
		}
		short := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "_total"), "_bucket"), "_seconds")
		if !strings.Contains(known, name) && !strings.Contains(strings.ReplaceAll(known, ".", "_"), short+`"`) {
			t.Errorf("nothing serves %s", name)
		}
	}
}

func sources(t *testing.T, names ...string) string {
	t.Helper()
	var all strings.Builder
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}

// What a file of deploy says was not run, its head says.
func TestFilesThatWereNotRunSaySo(t *testing.T) {
	for _, name := range []string{"kubernetes/sqsd.yaml", "kubernetes/consumer.yaml", "kubernetes/keda.yaml", "systemd/sqsd.service", "systemd/omnibus-consumer@.service", "terraform/main.tf", "grafana/omnibus.json"} {
		if text := deployed(t, name); !regexp.MustCompile(`not\s+(# )?(run|applied)`).MatchString(text) {
			t.Errorf("%s does not say that it was not run", name)
		}
	}
}
