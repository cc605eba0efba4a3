package sqsbus

import (
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/traits"
	"gocloud.dev/gcerrors"

	"omnibus/bus/driver"
	"omnibus/bus/spec"
)

// sqsCodes are the codes of SQS that the SDK's model has, in both spellings.
func sqsCodes(t *testing.T) map[string]spec.Code {
	codes := map[string]spec.Code{}
	for _, e := range sqs.TypeRegistry.Entries {
		name := e.Schema.ID().Name
		codes[name] = spec.Code(name)
		if q, ok := smithy.SchemaTrait[*traits.AWSQueryError](e.Schema); ok {
			codes[q.ErrorCode] = spec.Code(name)
		}
	}
	if len(codes) < 40 || codes["KMS.ThrottlingException"] != "KmsThrottled" {
		t.Fatalf("the SDK's model has the codes %v", codes)
	}
	return codes
}

// snsCodes are the codes of SNS that the SDK's error types have.
func snsCodes(t *testing.T) []string {
	dir, err := exec.Command("go", "list", "-f", "{{.Dir}}", "github.com/aws/aws-sdk-go-v2/service/sns/types").Output()
	if err != nil {
		t.Fatal(err)
	}
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(strings.TrimSpace(string(dir)), "errors.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Name.Name == "ErrorCode" {
			ast.Inspect(f, func(n ast.Node) bool {
				if text, ok := n.(*ast.BasicLit); ok && text.Kind == token.STRING {
					code, _ := strconv.Unquote(text.Value)
					codes = append(codes, code)
				}
				return true
			})
		}
	}
	if len(codes) < 30 {
		t.Fatalf("the SDK has the codes %v", codes)
	}
	return codes
}

func TestEveryCodeOfTheSDKsModelsHasACodeOfTheGoCDK(t *testing.T) {
	for code, name := range sqsCodes(t) {
		err := coded(&smithy.GenericAPIError{Code: code})
		if got := errorCode(err); got == gcerrors.Unknown || got != errorCode(coded(&smithy.GenericAPIError{Code: string(name)})) {
			t.Errorf("SQS's %s has the code %v", code, got)
		}
		if got := driver.ErrorCode(name); got != gcerrors.Unknown && got != errorCode(err) {
			t.Errorf("SQS's %s has the code %v; package driver says %v", code, errorCode(err), got)
		}
	}
	for _, code := range snsCodes(t) {
		if got := errorCode(coded(&smithy.GenericAPIError{Code: code})); got == gcerrors.Unknown {
			t.Errorf("SNS's %s has the code %v", code, got)
		}
	}
}

// kmsCodes are the codes with which SQS refuses what a KMS key stands in the way of,
// as they travel.
var kmsCodes = map[string]gcerrors.ErrorCode{
	"KMS.AccessDeniedException":    gcerrors.PermissionDenied,
	"KMS.DisabledException":        gcerrors.FailedPrecondition,
	"KMS.InvalidKeyUsageException": gcerrors.FailedPrecondition,
	"KMS.InvalidStateException":    gcerrors.FailedPrecondition,
	"KMS.NotFoundException":        gcerrors.NotFound,
	"KMS.OptInRequired":            gcerrors.FailedPrecondition,
	"KMS.ThrottlingException":      gcerrors.ResourceExhausted,
}

func TestKMSCodesAreKnownAndThrottledOnesAreRetried(t *testing.T) {
	for code := range sqsCodes(t) {
		if _, ok := kmsCodes[code]; strings.HasPrefix(code, "KMS.") && !ok {
			t.Errorf("%s is not tried here", code)
		}
	}
	for code, want := range kmsCodes {
		for where, hook := range map[string]func(e *endpoint, end time.Time){
			"header": func(e *endpoint, end time.Time) {
				e.fault = func(*call) *fault {
					if time.Now().After(end) {
						return nil
					}
					return &fault{status: http.StatusBadRequest, code: code, query: true}
				}
			},
			"entry": func(e *endpoint, end time.Time) {
				e.entry = func(c *call, body string) string {
					if time.Now().After(end) {
						return ""
					}
					return code
				}
			},
		} {
			t.Run(code+" in "+where, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					e := newEndpoint()
					e.create(t, "donors", spec.QueueSettings{})
					q := e.open(t, "?visibility=30s")
					defer shutDown(t, q)
					e.set(func() { hook(e, time.Now().Add(time.Minute)) })
					err := sendAll(t, q, messages(1))[0]
					if want == gcerrors.ResourceExhausted {
						if err != nil {
							t.Errorf("a minute of it is not waited out: %v", err)
						}
						return
					}
					check(t, "send", err, want)
				})
			})
		}
	}
}
