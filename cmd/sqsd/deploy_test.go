package main

import (
	"errors"
	"flag"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

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

// A container file that names a flag that is not there is found out where there is
// no engine to run it.
func TestContainersSetFlagsThatSqsdHas(t *testing.T) {
	var help strings.Builder
	if _, err := parse([]string{"-h"}, &help); !errors.Is(err, flag.ErrHelp) {
		t.Fatal(err)
	}
	clients, err := os.ReadFile("../../docs/clients.md")
	if err != nil {
		t.Fatal(err)
	}
	set := regexp.MustCompile(`SQSD_([A-Z_]+)[:=]`).FindAllStringSubmatch(deployed(t, "Dockerfile")+deployed(t, "compose.yaml")+string(clients), -1)
	if len(set) < 4 {
		t.Errorf("they set %d variables", len(set))
	}
	for _, m := range set {
		name := strings.ToLower(strings.ReplaceAll(m[1], "_", "-"))
		if !strings.Contains(help.String(), "\n  -"+name+" ") && !strings.Contains(help.String(), "\n  -"+name+"\n") {
			t.Errorf("SQSD_%s: there is no flag -%s", m[1], name)
		}
	}
}

func TestTheImageHasOneBinaryAndIsNotRoot(t *testing.T) {
	text := deployed(t, "Dockerfile")
	instructions := strings.Fields("FROM WORKDIR COPY RUN USER ENV EXPOSE HEALTHCHECK ENTRYPOINT")
	for line := range strings.Lines(text) {
		word, _, _ := strings.Cut(line, " ")
		if word = strings.TrimSpace(word); word != "" && !strings.HasPrefix(word, "#") && !slices.Contains(instructions, word) {
			t.Errorf("instruction %s", word)
		}
	}
	stages := strings.Split(text, "\nFROM ")
	last := stages[len(stages)-1] // which is built unless another is asked for
	for _, want := range []string{"scratch AS sqsd\n", "COPY --from=build /out/sqsd /sqsd\nUSER 65534:65534\n", `CMD ["/sqsd", "-healthcheck"]`, `ENTRYPOINT ["/sqsd"]`} {
		if !strings.Contains(last, want) {
			t.Errorf("the image has no %s", want)
		}
	}
	if strings.Count(last, "COPY") != 1 {
		t.Error("the image has more than one file")
	}
}

func TestComposeIsTheLab(t *testing.T) {
	var file struct {
		Services map[string]struct {
			Build       struct{ Target, Dockerfile, Context string }
			Environment map[string]string
			Command     []string
			Ports       []string
			DependsOn   map[string]struct{ Condition string } `yaml:"depends_on"`
		}
	}
	if err := yaml.Unmarshal([]byte(deployed(t, "compose.yaml")), &file); err != nil {
		t.Fatal(err)
	}
	var commands []string
	for name, s := range file.Services {
		if s.Build.Context != ".." || s.Build.Dockerfile != "deploy/Dockerfile" || !strings.Contains(deployed(t, "Dockerfile"), " AS "+s.Build.Target+"\n") {
			t.Errorf("%s is built from %+v", name, s.Build)
		}
		for other := range s.DependsOn {
			if _, there := file.Services[other]; !there {
				t.Errorf("%s depends on %s", name, other)
			}
		}
		for _, p := range s.Ports {
			if !strings.HasPrefix(p, "127.0.0.1:") {
				t.Errorf("%s is published at %s", name, p)
			}
		}
		if s.Build.Target == "omnibus" {
			commands = append(commands, strings.Join(s.Command, " "))
			if want := "http://" + file.Services["sqsd"].Environment["SQSD_HOST"] + ":9324/000000000000/mynewq"; s.Environment["BUS_URL"] != want || s.Environment["AWS_REGION"] == "" {
				t.Errorf("%s: environment %v", name, s.Environment)
			}
		}
	}
	slices.Sort(commands)
	want := "consume -preset fast, consume -preset slow, create, produce -preset fast, produce -preset slow, status"
	if got := strings.Join(commands, ", "); got != want {
		t.Errorf("commands %s; want %s", got, want)
	}
}

// The manifest's and the unit's flags are ones that sqsd has, with values that it takes.
func TestDeployedCommandLinesAreTaken(t *testing.T) {
	queues := regexp.MustCompile(`(?s)queues\.yaml: \|\n(.*?)\n---`).FindStringSubmatch(deployed(t, "kubernetes/sqsd.yaml"))
	args := regexp.MustCompile(`args: (\[.*\])`).FindStringSubmatch(deployed(t, "kubernetes/sqsd.yaml"))
	if queues == nil || args == nil {
		t.Fatal("kubernetes/sqsd.yaml has no queues or no args")
	}
	file := t.TempDir() + "/queues.yaml"
	if err := os.WriteFile(file, []byte(queues[1]), 0o600); err != nil {
		t.Fatal(err)
	}
	var list []string
	if err := yaml.Unmarshal([]byte(strings.ReplaceAll(args[1], "/etc/sqsd/queues.yaml", file)), &list); err != nil {
		t.Fatal(err)
	}
	c, err := parse(list, &strings.Builder{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := newService(t.Context(), c, false)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.server.Load().Engine().List(""); !slices.Equal(got, []string{"donors", "donors-dead"}) {
		t.Errorf("it makes the queues %v", got)
	}
	for _, m := range regexp.MustCompile(`SQSD_([A-Z_]+)=`).FindAllStringSubmatch(deployed(t, "systemd/sqsd.service"), -1) {
		if m[1] != "QUEUES" && m[1] != "LOG" && m[1] != "DATA" {
			t.Errorf("the unit sets %s", m[0])
		}
	}
}
