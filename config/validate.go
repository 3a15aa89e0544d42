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

func listOf(values ...string) Validator { return each{oneOf{values: values}} }

func (e each) Check(name string, v any) error {
	list, _ := v.([]string)
	for _, s := range list {
		if err := e.oneOf.Check(name, s); err != nil {
			return err
		}
	}
	return nil
}

// rule is a validator made of a function that names what is broken.
type rule struct {
	text  string
	check func(name string, v any) string
}

func (r rule) Check(name string, v any) error {
	if broken := r.check(name, v); broken != "" {
		return &ValueError{name, javaString(v), broken}
	}
	return nil
}

func (r rule) String() string { return r.text }

var nonEmpty = rule{"non-empty string", func(_ string, v any) string {
	if s, ok := v.(string); ok && s == "" {
		return "String must be non-empty"
	}
	return ""
}}

var nonNull = rule{"non-null string", func(_ string, v any) string {
	if v == nil {
		return "entry must be non null"
	}
	return ""
}}

// throttledReplicas are the lists of KIP-73: "*", nothing, or
// partition:broker pairs.
var throttledReplicas = rule{"[partitionId]:[brokerId],[partitionId]:[brokerId],...", func(name string, v any) string {
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
			return name + " must be the literal '*' or a list of replicas in the following format: " +
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
	return rule{text, func(_ string, v any) string {
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
var authorizers = rule{"non-null string", func(name string, v any) string {
	if broken := nonNull.check(name, v); broken != "" {
		return broken
	}
	return classes("kafka.security.authorizer.AclAuthorizer").(rule).check(name, v)
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
var protocolVersion = rule{"a version of Kafka from 0.8.0 to 3.9, as 3.8 or 3.8-IV0", func(_ string, v any) string {
	s, _ := v.(string)
	if _, err := ParseProtocolVersion(s); err != nil {
		return err.Error()
	}
	return ""
}}

// gzipLevel is gzip's range of levels, or -1 for its own default.
var gzipLevel = rule{"[1,...,9] or -1", func(_ string, v any) string {
	if f := asFloat(v); f != -1 && (f < 1 || f > 9) {
		return "Value must be between 1 and 9 or equal to -1"
	}
	return ""
}}

// poolSize is a number of workers, or -1 to follow another property.
var poolSize = rule{"-1 or [1,...]", func(_ string, v any) string {
	if f := asFloat(v); f != -1 && f < 1 {
		return "Value can be -1 or greater than 0"
	}
	return ""
}}
