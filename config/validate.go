package config

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Validator checks a parsed value; String states the rule as Kafka's
// documentation prints it.
type Validator interface {
	Check(name string, v any) error
	String() string
}

// number is a range over any numeric type, bounds included. Kafka compares as
// doubles.
type number struct {
	min, max       float64
	hasMin, hasMax bool
}

func atLeast(low float64) Validator       { return number{min: low, hasMin: true} }
func between(low, high float64) Validator { return number{low, high, true, true} }

func bound(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

func (r number) Check(name string, v any) error {
	if v == nil {
		return &ValueError{name, "null", "Value must be non-null"}
	}
	f := asFloat(v)
	switch {
	case r.hasMin && f < r.min:
		return &ValueError{name, javaString(v), "Value must be at least " + bound(r.min)}
	case r.hasMax && f > r.max:
		return &ValueError{name, javaString(v), "Value must be no more than " + bound(r.max)}
	}
	return nil
}

func (r number) String() string {
	if r.hasMax {
		return "[" + bound(r.min) + ",...," + bound(r.max) + "]"
	}
	return "[" + bound(r.min) + ",...]"
}

func asFloat(v any) float64 {
	switch n := v.(type) {
	case int16:
		return float64(n)
	case int32:
		return float64(n)
	case int64:
		return float64(n)
	case float64:
		return n
	}
	return 0
}

// orMinusOne is a range that -1 ("decide for me") escapes.
type orMinusOne struct {
	number
	last bool // Kafka prints "[1,...,9] or -1", our own order otherwise
}

func (r orMinusOne) Check(name string, v any) error {
	if v != nil && asFloat(v) == -1 {
		return nil
	}
	if err := r.number.Check(name, v); err != nil {
		return &ValueError{name, javaString(v), "Value must be " + r.describe()}
	}
	return nil
}

func (r orMinusOne) describe() string {
	if r.hasMax {
		return "between " + bound(r.min) + " and " + bound(r.max) + " or equal to -1"
	}
	return "at least " + bound(r.min) + " or equal to -1"
}

func (r orMinusOne) String() string {
	if r.last {
		return r.number.String() + " or -1"
	}
	return "-1 or " + r.number.String()
}

// oneOf is a closed set of strings; foldCase ignores case.
type oneOf struct {
	values   []string
	foldCase bool
}

func in(values ...string) Validator        { return oneOf{values: values} }
func inAnyCase(values ...string) Validator { return oneOf{values, true} }

func (o oneOf) Check(name string, v any) error {
	s, isString := v.(string)
	if isString && slices.ContainsFunc(o.values, func(w string) bool {
		return w == s || o.foldCase && strings.EqualFold(w, s)
	}) {
		return nil
	}
	how := "String must be one of: "
	if o.foldCase {
		how = "String must be one of (case insensitive): "
	}
	return &ValueError{name, javaString(v), how + strings.Join(o.values, ", ")}
}

func (o oneOf) String() string {
	s := "[" + strings.Join(o.values, ", ") + "]"
	if o.foldCase {
		return "(case insensitive) " + s
	}
	return s
}

// each checks every element of a list.
type each struct{ oneOf }

func listOf(values ...string) Validator        { return each{oneOf{values: values}} }
func listOfAnyCase(values ...string) Validator { return each{oneOf{values, true}} }

func (e each) Check(name string, v any) error {
	list, _ := v.([]string)
	for _, s := range list {
		if err := e.oneOf.Check(name, s); err != nil {
			return err
		}
	}
	return nil
}

// String does not tell that case is ignored, as Kafka does not.
func (e each) String() string { return "[" + strings.Join(e.values, ", ") + "]" }

// rule is a validator made of a function that names what is broken.
type rule struct {
	text  string
	check func(v any) string
}

func (r rule) Check(name string, v any) error {
	if broken := r.check(v); broken != "" {
		return &ValueError{name, javaString(v), broken}
	}
	return nil
}

func (r rule) String() string { return r.text }

var nonEmpty = rule{"non-empty string", func(v any) string {
	if s, ok := v.(string); ok && s == "" {
		return "String must be non-empty"
	}
	return ""
}}

var nonNull = rule{"non-null string", func(v any) string {
	if v == nil {
		return "entry must be non null"
	}
	return ""
}}

// throttledReplicas are the lists of KIP-73: "*", nothing, or
// partition:broker pairs.
var throttledReplicas = rule{"[partitionId]:[brokerId],[partitionId]:[brokerId],...", func(v any) string {
	list, _ := v.([]string)
	if len(list) == 1 && javaTrim(list[0]) == "*" {
		return ""
	}
	for _, pair := range list {
		if pair = javaTrim(pair); pair == "" {
			continue
		}
		partition, broker, ok := strings.Cut(pair, ":")
		if !ok || !digits(partition) || !digits(broker) {
			return "the value must be the literal '*' or a list of replicas in the following format: " +
				"[partitionId]:[brokerId],[partitionId]:[brokerId],..."
		}
	}
	return ""
}}

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// classes accepts the Java classes that gregor has an equal of: it runs no
// Java, and ignoring a policy or an authorizer would open what was closed.
func classes(known ...string) Validator {
	text := "none: gregor runs no Java classes"
	if len(known) > 0 {
		text = "one of " + strings.Join(known, ", ")
	}
	return rule{text, func(v any) string {
		names, _ := v.([]string)
		if s, ok := v.(string); ok {
			names = []string{s}
		}
		for _, n := range names {
			if n != "" && !slices.Contains(known, n) {
				return fmt.Sprintf("Class %s could not be found (gregor runs no Java classes; it knows: %s).",
					n, cmp.Or(strings.Join(known, ", "), "none"))
			}
		}
		return ""
	}}
}

// authorizers are the values of authorizer.class.name.
var authorizers = rule{"non-null string", func(v any) string {
	if broken := nonNull.check(v); broken != "" {
		return broken
	}
	return classes("kafka.security.authorizer.AclAuthorizer").(rule).check(v)
}}

// Kafka's own handlers for OAUTHBEARER, which security/sasl has equals of.
const (
	oauthPackage            = "org.apache.kafka.common.security.oauthbearer."
	oauthValidator          = oauthPackage + "OAuthBearerValidatorCallbackHandler"
	oauthLogin              = oauthPackage + "OAuthBearerLoginCallbackHandler"
	oauthUnsecuredValidator = oauthPackage + "internals.unsecured.OAuthBearerUnsecuredValidatorCallbackHandler"
	oauthUnsecuredLogin     = oauthPackage + "internals.unsecured.OAuthBearerUnsecuredLoginCallbackHandler"
)

// protocolVersion accepts what ParseProtocolVersion does.
var protocolVersion = rule{"a version of Kafka from 0.8.0 to 4.0-IV1, as 3.9 or 3.9-IV0", func(v any) string {
	s, _ := v.(string)
	if _, err := ParseProtocolVersion(s); err != nil {
		return err.Error()
	}
	return ""
}}
