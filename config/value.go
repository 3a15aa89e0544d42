package config

import (
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/gregor-mq/gregor/internal/must"
)

var commas = regexp.MustCompile(`[ \t\n\v\f\r]*,[ \t\n\v\f\r]*`)

// javaTrim is String.trim: it takes off every character up to the space.
func javaTrim(s string) string {
	return strings.TrimFunc(s, func(r rune) bool { return r <= ' ' })
}

// parse turns text into a value of type t as ConfigDef.parseType does: bool,
// string, int32, int16, int64, float64, []string or Secret.
func parse(name, text string, t Type) (any, error) {
	s := javaTrim(text)
	bad := func(rule string) (any, error) { return nil, &ValueError{name, text, rule} }
	notNumber := "Not a number of type " + t.String()
	switch t {
	case Boolean:
		if strings.EqualFold(s, "true") {
			return true, nil
		}
		if strings.EqualFold(s, "false") {
			return false, nil
		}
		return bad("Expected value to be either true or false")
	case String, Class:
		return s, nil
	case Password:
		return Secret(s), nil
	case Int:
		n, err := strconv.ParseInt(s, 10, 32)
		if err != nil {
			return bad(notNumber)
		}
		return int32(n), nil
	case Short:
		n, err := strconv.ParseInt(s, 10, 16)
		if err != nil {
			return bad(notNumber)
		}
		return int16(n), nil
	case Long:
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return bad(notNumber)
		}
		return n, nil
	case Double:
		f, ok := parseDouble(s)
		if !ok {
			return bad(notNumber)
		}
		return f, nil
	case List:
		if s == "" {
			return []string{}, nil
		}
		return commas.Split(s, -1), nil
	}
	must.Bug("property %s has type %d", name, t)
	return nil, nil
}

// decimal is what Double.parseDouble accepts, hexadecimal floats left out.
var decimal = regexp.MustCompile(`^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?[dDfF]?$`)

func parseDouble(s string) (float64, bool) {
	switch strings.TrimLeft(s, "+-") {
	case "NaN":
		return math.NaN(), len(s) <= 4
	case "Infinity":
		return math.Inf(strings.Count(s, "-")*-2 + 1), len(s) <= 9
	}
	if !decimal.MatchString(s) {
		return 0, false
	}
	f, err := strconv.ParseFloat(strings.TrimRight(s, "dDfF"), 64)
	if err != nil && !math.IsInf(f, 0) { // out of range is infinity in Java
		return 0, false
	}
	return f, true
}

// text prints a value as ConfigDef.convertToString does; nil has no text.
func text(v any) (string, bool) {
	switch v := v.(type) {
	case nil:
		return "", false
	case Secret:
		return v.String(), true
	case []string:
		return strings.Join(v, ","), true
	}
	return javaString(v), true
}

// javaString prints a value as Java's string concatenation does.
func javaString(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case int16:
		return strconv.Itoa(int(v))
	case int32:
		return strconv.Itoa(int(v))
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return javaDouble(v)
	case []string:
		return "[" + strings.Join(v, ", ") + "]"
	case Secret:
		return v.String()
	}
	must.Bug("value of type %T in a configuration", v)
	return ""
}

// javaDouble is Double.toString: always a decimal point, an exponent below
// 1e-3 and from 1e7 up.
func javaDouble(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	case f == 0 || math.Abs(f) >= 1e-3 && math.Abs(f) < 1e7:
		s := strconv.FormatFloat(f, 'f', -1, 64)
		if !strings.Contains(s, ".") {
			s += ".0"
		}
		return s
	}
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'E', -1, 64), "E")
	if !strings.Contains(mantissa, ".") {
		mantissa += ".0"
	}
	sign := ""
	if exponent[0] == '-' {
		sign = "-"
	}
	return mantissa + "E" + sign + strings.TrimLeft(exponent, "+-0")
}
