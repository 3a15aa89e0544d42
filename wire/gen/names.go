package main

import (
	"strings"
	"unicode"
)

// initials are the words of schema names that Go writes in capitals.
var initials = map[string]string{"Id": "ID", "Ids": "IDs", "Uuid": "UUID"}

// renamed are fields whose Go name would be that of a method of Body.
var renamed = map[string]string{"FindCoordinatorRequest.Key": "CoordinatorKey"}

// goName turns a schema's camel case into Go's.
func goName(name string) string {
	var b strings.Builder
	for _, w := range words(name) {
		if up, ok := initials[w]; ok {
			w = up
		}
		b.WriteString(w)
	}
	return b.String()
}

// words splits camel case before each capital that follows a small letter or
// a digit, or that begins a word after capitals.
func words(name string) []string {
	r := []rune(name)
	if len(r) == 0 {
		return nil
	}
	r[0] = unicode.ToUpper(r[0])
	var out []string
	start := 0
	for i := 1; i < len(r); i++ {
		if !unicode.IsUpper(r[i]) {
			continue
		}
		if !unicode.IsUpper(r[i-1]) || (i+1 < len(r) && unicode.IsLower(r[i+1])) {
			out = append(out, string(r[start:i]))
			start = i
		}
	}
	return append(out, string(r[start:]))
}

func fieldName(owner, name string) string {
	n := goName(name)
	if to, ok := renamed[owner+"."+n]; ok {
		return to
	}
	return n
}

// structName is message plus struct, with the message's name not said twice:
// UpdateMetadataPartitionState of UpdateMetadataRequest becomes
// UpdateMetadataRequestPartitionState.
func structName(message, name string) string {
	if rest, ok := strings.CutPrefix(name, message); ok && rest != "" {
		return goName(message) + goName(rest)
	}
	base := words(apiName(message))
	w := words(name)
	for i := 0; i+len(base) <= len(w); i++ {
		if len(w) > len(base) && strings.Join(w[i:i+len(base)], "") == strings.Join(base, "") {
			w = append(w[:i:i], w[i+len(base):]...)
			break
		}
	}
	return goName(message) + goName(strings.Join(w, ""))
}

// apiName is the name of a message's API: Fetch for FetchRequest.
func apiName(message string) string {
	return strings.TrimSuffix(strings.TrimSuffix(message, "Request"), "Response")
}

// snake is the file name for a message or API.
func snake(name string) string {
	return strings.ToLower(strings.Join(words(name), "_"))
}
