package topics

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"omnibus/bus/spec"
)

func parse(t *testing.T, policy string) *Filter {
	t.Helper()
	f, err := ParseFilter(policy)
	if err != nil {
		t.Fatalf("%s: %v", policy, err)
	}
	return f
}

// The cases marked R were recorded on AWS, those marked D are of its
// documentation, with other names.
func TestFilterOnBodies(t *testing.T) {
	for _, test := range []struct {
		policy      string
		wanted, not []string
	}{
		// exact values
		{`{"k":["a","b"]}`, []string{`{"k":"a"}`, `{"k":"b","x":1}`, `{"k":["c","b"]}`},
			[]string{`{"k":"c"}`, `{"k":"A"}`, `{"x":"a"}`, `{}`, `{"k":{"a":1}}`, `{"k":[]}`, `{"k":null}`}},
		{`{"k":[1]}`, []string{`{"k":1}`, `{"k":1.0}`, `{"k":10e-1}`, `{"k":[2,1]}`}, []string{`{"k":"1"}`, `{"k":2}`, `{"k":true}`}},
		{`{"k":[123456789012]}`, []string{`{"k":123456789012}`}, []string{`{"k":123456789013}`}}, // out of the range of numbers: as written
		{`{"k":[true,null]}`, []string{`{"k":true}`, `{"k":null}`}, []string{`{"k":false}`, `{"k":"true"}`, `{"k":"null"}`, `{}`}},
		{`{"k":["\u00e4\n"]}`, []string{`{"k":"ä\n"}`}, []string{`{"k":"a"}`}},
		// texts
		{`{"k":[{"prefix":"ab"}]}`, []string{`{"k":"ab"}`, `{"k":"abc"}`, `{"k":["x","abc"]}`}, []string{`{"k":"xab"}`, `{"k":"AB"}`, `{"k":12}`, `{}`}},
		{`{"k":[{"suffix":"ab"}]}`, []string{`{"k":"ab"}`, `{"k":"xab"}`}, []string{`{"k":"abx"}`, `{"k":1}`}},
		{`{"k":[{"equals-ignore-case":"Ab"}]}`, []string{`{"k":"ab"}`, `{"k":"AB"}`}, []string{`{"k":"abc"}`, `{"k":1}`}},
		{`{"k":[{"anything-but":"a"}]}`, []string{`{"k":"b"}`, `{"k":1}`, `{"k":null}`}, []string{`{"k":"a"}`, `{}`, `{"k":[]}`}},
		{`{"k":[{"anything-but":["a","b"]}]}`, []string{`{"k":"c"}`, `{"k":["a","c"]}`}, []string{`{"k":"a"}`, `{"k":["a","b"]}`}},
		{`{"k":[{"anything-but":[1,2]}]}`, []string{`{"k":3}`, `{"k":"1"}`}, []string{`{"k":1}`, `{"k":2.0}`}},
		{`{"k":[{"anything-but":{"prefix":"ab"}}]}`, []string{`{"k":"xab"}`, `{"k":7}`}, []string{`{"k":"abc"}`, `{}`}},
		{`{"k":[{"anything-but":"a"},{"exists":false}]}`, []string{`{"k":"b"}`, `{}`}, []string{`{"k":"a"}`}}, // D
		// numbers
		{`{"k":[{"numeric":["=",3.5]}]}`, []string{`{"k":3.5}`, `{"k":35e-1}`, `{"k":3.500001}`}, []string{`{"k":3.50001}`, `{"k":"3.5"}`, `{}`}},
		{`{"k":[{"numeric":["<",0]}]}`, []string{`{"k":-1}`}, []string{`{"k":0}`, `{"k":-1e10}`}},
		{`{"k":[{"numeric":["<=",0]}]}`, []string{`{"k":0}`}, []string{`{"k":0.1}`}},
		{`{"k":[{"numeric":[">",0]}]}`, []string{`{"k":1}`}, []string{`{"k":0}`, `{"k":2e9}`}},
		{`{"k":[{"numeric":[">=",0]}]}`, []string{`{"k":0}`}, []string{`{"k":-0.1}`}},
		{`{"k":[{"numeric":[">",0,"<=",100]}]}`, []string{`{"k":99}`, `{"k":100}`}, []string{`{"k":0}`, `{"k":111}`}}, // R
		// presence
		{`{"k":[{"exists":true}]}`, []string{`{"k":null}`, `{"k":""}`, `{"k":[1]}`}, []string{`{}`, `{"k":{"x":1}}`, `{"k":[]}`}},
		{`{"k":[{"exists":false}]}`, []string{`{}`, `{"x":1}`, `{"k":{"x":1}}`}, []string{`{"k":1}`, `{"k":null}`}},
		// addresses
		{`{"k":[{"cidr":"10.0.0.0/24"}]}`, []string{`{"k":"10.0.0.0"}`, `{"k":"10.0.0.255"}`}, []string{`{"k":"10.0.1.0"}`, `{"k":"ten"}`, `{"k":10}`}},
		{`{"k":[{"cidr":"2001:db8::/32"}]}`, []string{`{"k":"2001:db8:1::1"}`}, []string{`{"k":"2001:db9::"}`, `{"k":"10.0.0.1"}`}},
		// several keys
		{`{"a":["x"],"b":[1,2]}`, []string{`{"a":"x","b":2}`}, []string{`{"a":"x"}`, `{"b":1}`, `{"a":"y","b":1}`}},
		// nesting, R
		{`{"object":{"key":[{"prefix":"auto-"},"hardcodedvalue"],"nested_key":[{"exists":false}]},"test":[{"exists":false}]}`,
			[]string{`{"object":{"key":"auto-test"}}`, `{"object":{"key":"hardcodedvalue"}}`},
			[]string{`{"object":{"key":"test-auto"}}`, `{"object":{"key":"auto-test"},"test":"just-exists"}`,
				`{"object":{"key":"auto-test","nested_key":"just-exists"}}`, `{"object":{"test":"auto-test"}}`, `{"test":"auto-test"}`,
				`Regular text`, `"Regular text"`, `[]`, ``}},
		// dots, R
		{`{"object.nested.test":["v"]}`,
			[]string{`{"object":{"nested":{"test":"v"}}}`, `{"object.nested.test":"v"}`, `{"object.nested":{"test":"v"}}`, `{"object":{"nested.test":"v"}}`},
			[]string{`{"object":{"nested":{"test":"w"}}}`, `{"object":{"nested":"v"}}`, `{"test":"v"}`}},
		{`{"a":{"b.c":["v"]},"a.b":{"d":["w"]}}`, []string{`{"a":{"b":{"c":"v","d":"w"}}}`, `{"a.b":{"c":"v","d":"w"}}`, `{"a":{"b.c":"v"},"a.b":{"d":"w"}}`},
			[]string{`{"a":{"b":{"c":"v"}}}`}},
		// arrays, R
		{`{"headers":{"route-to":["q1"]}}`, []string{`{"headers":{"route-to":["q1"]}}`, `{"headers":{"route-to":["q1","q2"]}}`},
			[]string{`{"headers":{"route-to":["q2","q3"]}}`}},
		{`{"Records":{"s3":{"object":{"key":[{"prefix":"auto-"}]}},"eventName":[{"prefix":"Created:"}]}}`,
			[]string{`{"Records":[{"eventName":"Created:Put","s3":{"object":{"key":"auto-1"}}}]}`,
				`{"Records":[{"eventName":"Created:Put","s3":{"object":[[{"key":"auto-1"}]]}},{"eventName":"Removed","s3":{"object":{"key":"home-1"}}}]}`},
			[]string{`{"Records":[{"eventName":"Removed","s3":{"object":{"key":"auto-1"}}}]}`,
				// each key has a match, but not in one element
				`{"Records":[{"eventName":"Created:Put","s3":{"object":{"key":"home-1"}}},{"eventName":"Removed","s3":{"object":{"key":"auto-1"}}}]}`}},
		{`{"r":{"a":["x"],"b":[{"exists":false}]}}`, []string{`{"r":[{"a":"x"},{"a":"y"}]}`}, []string{`{"r":[{"a":"x"},{"b":1}]}`}},
		// $or, R
		{`{"$or":[{"metric":["CPU","Latency"]},{"namespace":["EC2","ES"]}],"detail":{"scope":["Service"],"$or":[{"source":["watch"]},{"type":["Alarm"]}]}}`,
			[]string{`{"metric":"CPU","detail":{"scope":"Service","source":"watch"}}`, `{"namespace":"ES","detail":{"scope":"Service","source":"watch"}}`,
				`{"metric":"Latency","detail":{"scope":"Service","type":"Alarm"}}`},
			[]string{`{"metric":"CPU","detail":{"scope":"watch","type":"Alarm"}}`, `{"metric":"CPU","detail":{"scope":"Service","type":"CPU"}}`,
				`{"metric":"CPU","detail":{"type":"Alarm"}}`, `{"metric":"CPU","scope":"Service"}`, `{"metric":"EC2","detail":{"scope":"Service","type":"Alarm"}}`}},
		// what is no $or is a key, D
		{`{"$or":["a"]}`, []string{`{"$or":"a"}`}, []string{`{"a":1}`}},
		{`{"$or":[{"prefix":"a"},{"suffix":"b"}]}`, []string{`{"$or":"ax"}`, `{"$or":"xb"}`}, []string{`{"prefix":"a"}`}},
	} {
		f := parse(t, test.policy)
		for _, body := range test.wanted {
			if !f.MatchBody(body) {
				t.Errorf("%s does not want %s", test.policy, body)
			}
		}
		for _, body := range test.not {
			if f.MatchBody(body) {
				t.Errorf("%s wants %s", test.policy, body)
			}
		}
	}
}

func TestFilterOnAttributes(t *testing.T) {
	attr := func(name, dataType, value string) spec.NamedAttribute {
		return spec.NamedAttribute{Name: name, Attribute: spec.Attribute{DataType: dataType, StringValue: value}}
	}
	binary := spec.NamedAttribute{Name: "k", Attribute: spec.Attribute{DataType: "Binary", BinaryValue: []byte("a")}}
	for _, test := range []struct {
		policy string
		attrs  []spec.NamedAttribute
		want   bool
	}{
		{`{"k":["a"]}`, []spec.NamedAttribute{attr("k", "String", "a")}, true},
		{`{"k":["a"]}`, []spec.NamedAttribute{attr("k", "String.custom", "a"), attr("x", "String", "b")}, true},
		{`{"k":["a"]}`, []spec.NamedAttribute{attr("k", "String", "b")}, false},
		{`{"k":["a"]}`, nil, false},
		{`{"k":[null,{"anything-but":"b"}]}`, nil, false}, // recorded
		{`{"k":["a"]}`, []spec.NamedAttribute{attr("k", "String.Array", `["a","b"]`)}, true},
		{`{"k":["a"]}`, []spec.NamedAttribute{attr("k", "String.Array", `["b","c"]`)}, false},
		{`{"k":[true,7]}`, []spec.NamedAttribute{attr("k", "String.Array", `[null,7.0]`)}, true},
		{`{"k":["a"]}`, []spec.NamedAttribute{attr("k", "String.Array", `a`)}, false},
		{`{"k":[{"exists":false}]}`, []spec.NamedAttribute{attr("k", "String.Array", `"a"`)}, true},
		{`{"k":[{"numeric":["=",99]}]}`, []spec.NamedAttribute{attr("k", "Number", "99")}, true},
		{`{"k":[99]}`, []spec.NamedAttribute{attr("k", "Number.int", "99.0")}, true},
		{`{"k":["99"]}`, []spec.NamedAttribute{attr("k", "Number", "99")}, false},
		{`{"k":[{"numeric":["=",99]}]}`, []spec.NamedAttribute{attr("k", "String", "99")}, false},
		{`{"k":[{"exists":true}]}`, []spec.NamedAttribute{binary}, false},
		{`{"a.b":["v"]}`, []spec.NamedAttribute{attr("a.b", "String", "v")}, true},
		{`{"k":["a"],"$or":[{"x":["1"]},{"y":["2"]}]}`, []spec.NamedAttribute{attr("k", "String", "a"), attr("y", "String", "2")}, true},
		{`{"k":["a"],"$or":[{"x":["1"]},{"y":["2"]}]}`, []spec.NamedAttribute{attr("k", "String", "a"), attr("y", "String", "1")}, false},
	} {
		if got := parse(t, test.policy).MatchAttributes(test.attrs); got != test.want {
			t.Errorf("%s on %v: %v", test.policy, test.attrs, got)
		}
	}
}

// The texts and the columns up to 2025 are those recorded on AWS; those of
// syntax errors are recorded with the place as it stands here.
func TestFilterErrorsAreAWSs(t *testing.T) {
	many := func(n int) string {
		return `["` + strings.Join(strings.Split(strings.Repeat("x", n), ""), `","`) + `"]`
	}
	for _, test := range []struct {
		policy, text string
		column       int // 0 for an error without a place
	}{
		{`{"key":[["value"]]}`, "Match value must be String, number, true, false, or null", 10},
		{`{"key":[{"wrong-operator":true}]}`, "Unrecognized match type wrong-operator", 31},
		{`{"key":[{"suffix":"value","prefix":"value2"}]}`, "Only one key allowed in match expression", 37},
		{`{"key":[{"suffix":100}]}`, "suffix match pattern must be a string", 22},
		{`{"key":[{"suffix":null}]}`, "suffix match pattern must be a string", 23},
		{`{"key":[{"suffix":["test","test2"]}]}`, "suffix match pattern must be a string", 20},
		{`{"key":{"suffix":"value"}}`, `"suffix" must be an object or an array`, 19},
		{`{"key":{"not-an-operator":"value"}}`, `"not-an-operator" must be an object or an array`, 28},
		{`{"key_a":"value_one"}`, `"key_a" must be an object or an array`, 11},
		{`{"key":[{"numeric":[]}]}`, "Invalid member in numeric match: ]", 22},
		{`{"key":[{"numeric":["operator"]}]}`, "Unrecognized numeric range operator: operator", 32},
		{`{"key":[{"numeric":[1,"<="]}]}`, "Invalid member in numeric match: 1", 22},
		{`{"key":[{"numeric":["=","000"]}]}`, "Value of equals must be numeric", 26},
		{`{"key":[{"numeric":[">="]}]}`, "Value of >= must be numeric", 26},
		{`{"key":[{"numeric":["<",100,">",10]}]}`, "Too many elements in numeric expression", 30},
		{`{"key":[{"numeric":[">=",1,">",2]}]}`, "Bad numeric range operator: >", 31},
		{`{"key":[{"numeric":[">",3,"<",1]}]}`, "Bottom must be less than top", 33},
		{`{"key":[{"numeric":[">",20,"<="]}]}`, "Value of <= must be numeric", 33},
		{`{"key":[{"numeric":[">",20,30]}]}`, "Bad value in numeric range: 30", 30},
		{`{"key":[{"numeric":[">",20,"test"]}]}`, "Bad numeric range operator: test", 34},
		{`{"key":[{"numeric":[">","20","<","30"]}]}`, "Value of > must be numeric", 26},
		{`{"key":[{"numeric":[">",20,"<","30"]}]}`, "Value of < must be numeric", 33},
		{`{"key":[{"numeric":[">",20,"<",30,"<",50]}]}`, "Too many terms in numeric range expression", 36},
		{`{"key":[{"exists":null}]}`, "exists match pattern must be either true or false.", 23},
		{`{"key":[{"exists":"no"}]}`, "exists match pattern must be either true or false.", 20},
		{`{"key":[{"anything-but":{"wrong-operator":null}}]}`, "Unsupported anything-but pattern: wrong-operator", 47},
		{`{"key":[{"anything-but":{"suffix":"test"}}]}`, "Unsupported anything-but pattern: suffix", 36},
		{`{"key":[{"anything-but":{"exists":false}}]}`, "Unsupported anything-but pattern: exists", 40},
		{`{"key":[{"anything-but":{"prefix":false}}]}`, "prefix match pattern must be a string", 40},
		{`{invalid`, "failed to parse JSON. Unexpected character ('i' (code 105)): was expecting double-quote to start field name", 2},
		{`invalid`, "failed to parse JSON. Unrecognized token 'invalid': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')", 8},
		{`{"key":` + many(151) + `}`, "Filter policy is too complex", 0},
		{`{"key1":` + many(100) + `,"key2":` + many(51) + `}`, "Filter policy is too complex", 0},
		{`{"1":["1"],"2":["1"],"3":["1"],"4":["1"],"5":["1"],"6":["1"]}`, "Filter policy can not have more than 5 keys", 0},
		// 3 x 4 values of three levels, 2 x 3 of two, 3 of one
		{`{"a":{"b":{"c":` + many(4) + `}},"d":{"e":` + many(3) + `},"f":` + many(3) + `}`, "Filter policy is too complex", 0},
		// 4*6 + 4*4*4 + 4*4*4
		{`{"s":` + many(4) + `,"$or":[{"n":` + many(6) + `},{"t":` + many(4) + `,"$or":[{"i":` + many(4) + `},{"p":` + many(4) + `}]}]}`, "Filter policy is too complex", 0},
		// 3*4*2 + 3*4*6 + 2*4*2 + 2*4*6
		{`{"$or":[{"m":` + many(3) + `},{"n":` + many(2) + `}],"d":{"s":` + many(2) + `,"$or":[{"a":["x"]},{"t":` + many(3) + `}]}}`, "Filter policy is too complex", 0},
	} {
		_, err := ParseFilter(test.policy)
		if err == nil {
			t.Errorf("%.80s is taken", test.policy)
			continue
		}
		got, place, _ := strings.Cut(err.Error(), "\n")
		if got != test.text {
			t.Errorf("%.80s: %s\nwant %s", test.policy, got, test.text)
		}
		if want := fmt.Sprintf("line: 1, column: %d]", test.column); test.column > 0 && !strings.HasSuffix(place, want) || test.column == 0 && place != "" {
			t.Errorf("%.80s: %s\nwant %s", test.policy, place, want)
		}
	}
	// Just within the limits. 3*6 + 3*4*4 + 3*4*7 is 150.
	parse(t, `{"key":`+many(150)+`}`)
	parse(t, `{"s":`+many(3)+`,"$or":[{"n":`+many(6)+`},{"t":`+many(4)+`,"$or":[{"i":`+many(4)+`},{"p":`+many(7)+`}]}]}`)
	parse(t, `{"1":["1"],"2":["1"],"3":["1"],"4":["1"],"5":["1"]}`)
}

func TestFilterErrorsBesidesThoseRecorded(t *testing.T) {
	for policy, want := range map[string]string{
		`[]`: "Filter is not an object", `{}`: "Empty objects are not allowed", `{"k":[]}`: "Empty arrays are not allowed", `{"k":{}}`: "Empty objects",
		`{"k":[{}]}`: "Match expression name not found", `{"k":[{"numeric":1}]}`: "Value of numeric must be an array.", `{"k":[{"numeric":[">",2e9]}]}`: "Value must be between -1.0E9 and 1.0E9",
		`{"k":[{"anything-but":[]}]}`: "mixed type is not supported", `{"k":[{"anything-but":["a",1]}]}`: "mixed type", `{"k":[{"anything-but":true}]}`: "must be an array or single",
		`{"k":[{"anything-but":[null]}]}`: "Inside anything but list", `{"k":[{"anything-but":{}}]}`: "Anything-But expression name", `{"k":[{"anything-but":{"prefix":""}}]}`: "Null prefix",
		`{"k":[{"anything-but":{"prefix":"a","x":1}}]}`: "Only one key", `{"k":[{"numeric":[{}]}]}`: "numeric match: {", `{"k":[{"numeric":[[]]}]}`: "numeric match: [",
		`{"k":[{"cidr":7}]}`: "must be a string", `{"k":[{"cidr":"10.0.0.1"}]}`: "one '/' required", `{"k":[{"cidr":"10.0.0.1/x"}]}`: "must be an integer", `{"k":[{"cidr":"10.0.0.1/33"}]}`: "Invalid CIDR",
		`{"k":[{"exists":true,"x":1}]}`: "Only one key", ``: "Unexpected end-of-input", `{"k":["a"]`: "end-of-input", `{"k" 1}`: "colon", `{"k":[1 2]}`: "comma", `{"k":["` + "\n" + `"]}`: "escaped",
		`{"k":["\q"]}`: "escape", `{"k":[01]}`: "Unrecognized token '01'", `{"k":["a"]}x`: "end of the document", `{"k":["a`: "closing quote", `{"k":["a"],}`: "double-quote to start field name",
		strings.Repeat("[", 2000): "nesting depth", `{"k":["` + strings.Repeat("x", 256<<10) + `"]}`: "larger than 262144",
	} {
		if _, err := ParseFilter(policy); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, want %s", policy, err, want)
		}
	}
}

// Keys of many dots and a message made of their parts are given up, not searched
// for ever.
func TestFilterSearchEnds(t *testing.T) {
	dots := strings.Repeat("a.", 30)
	var policy, body []string
	for i := range 7 {
		policy = append(policy, fmt.Sprintf(`"%s%d":["v"]`, dots, i))
	}
	for i := range 30 {
		body = append(body, fmt.Sprintf(`"%s":{"x":1}`, strings.Repeat("a.", i)+"a"))
	}
	if parse(t, `{"k":{`+strings.Join(policy, ",")+"}}").MatchBody(`{"k":{` + strings.Join(body, ",") + "}}") {
		t.Error("it matches")
	}
}

// The bound on the search counts all that takes time: each name and each pattern that
// is compared, so that a message with many of them does not hold it up for longer.
func TestFilterSearchCountsNamesAndPatterns(t *testing.T) {
	const n = 1000
	var names, values []string
	for i := range n {
		names = append(names, fmt.Sprintf(`"%d":0`, i))
		values = append(values, "0")
	}
	for policy, body := range map[string]string{
		`{"a.b":[1]}`:                               `{"a":{` + strings.Join(names, ",") + `}}`,
		`{"a.b":[{"exists":false}]}`:                `{"a":{` + strings.Join(names, ",") + `}}`,
		`{"a":[` + strings.Repeat("1,", 99) + `1]}`: `{"a":[` + strings.Join(values[:n/100], ",") + `]}`,
	} {
		m := matcher{steps: maxSteps}
		m.conjunction(bodyNode(body), parse(t, policy).alternatives[0])
		if took := maxSteps - m.steps; took < n || took > 3*n {
			t.Errorf("%.40s: %d steps", policy, took)
		}
	}
}

// What AWS takes is not given up: the largest message, which is all names, and as many
// alternatives of as many keys as a policy may have.
func TestFilterSearchIsLongEnoughForLargeMessages(t *testing.T) {
	names := []string{`"a":0,"b":0,"c":0,"d":0`}
	for i := range 1 << 20 / len(`"xxxxx":0,`) {
		names = append(names, fmt.Sprintf(`"%05d":0`, i))
	}
	m := matcher{steps: maxSteps / maxCombinations} // for one alternative
	if !m.conjunction(bodyNode(`{`+strings.Join(names, ",")+`,"e":0}`), parse(t, `{"a":[0],"b":[0],"c":[0],"d":[0],"e":[0]}`).alternatives[0]) {
		t.Error("it is given up")
	}
}

func FuzzFilter(f *testing.F) {
	for _, seed := range []struct{ policy, body string }{
		{`{"k":["a",1,null,{"prefix":"x"},{"anything-but":[1,2]},{"numeric":[">",0,"<=",5]},{"exists":false},{"cidr":"::/0"}]}`, `{"k":[1,{"k":"x"}]}`},
		{`{"a.b":{"c":[1]},"$or":[{"x":["y"]},{"z":[{"suffix":"\u00e9"}]}]}`, `{"a":{"b":[{"c":1}]},"x":"y"}`},
		{`{"$or":[{"prefix":"a"},{}]}`, `"`}, {`{"k":[{"numeric":["=",`, `[[[[`}, {``, ``},
	} {
		f.Add(seed.policy, seed.body)
	}
	f.Fuzz(func(t *testing.T, policy, body string) {
		if _, bad := parseJSON(body); (bad == nil) != json.Valid([]byte(body)) && !tooDeep(bad) {
			t.Errorf("%q is valid: %v, %v", body, json.Valid([]byte(body)), bad)
		}
		filter, err := ParseFilter(policy)
		if err != nil {
			return
		}
		if !json.Valid([]byte(policy)) || filter.combinations() > maxCombinations {
			t.Errorf("%q is taken", policy)
		}
		filter.MatchBody(body)
		filter.MatchAttributes([]spec.NamedAttribute{
			{Name: "k", Attribute: spec.Attribute{DataType: "String.Array", StringValue: body}},
			{Name: "a", Attribute: spec.Attribute{DataType: "Number", StringValue: body}},
		})
	})
}

func tooDeep(bad *syntaxError) bool { return bad != nil && strings.Contains(bad.text, "nesting depth") }
