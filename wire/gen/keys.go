package main

import (
	"fmt"
	"slices"
)

func keyName(m *message) string { return "Key" + goName(apiName(m.Name)) }

// emitKeys writes the constants and tables of the APIs.
func emitKeys(msgs []*message) (*out, error) {
	reqs, resps := map[int]*message{}, map[int]*message{}
	for _, m := range msgs {
		switch {
		case m.APIKey == nil:
		case m.Type == "request":
			reqs[*m.APIKey] = m
		case m.Type == "response":
			resps[*m.APIKey] = m
		}
	}
	o := &out{}
	o.WriteString(banner)
	o.p("// The keys of every API in the schemas, served by gregor or not.\nconst (")
	for k := range len(reqs) {
		req, resp := reqs[k], resps[k]
		if req == nil || resp == nil {
			return nil, fmt.Errorf("API key %d lacks a request or response", k)
		}
		if req.Valid != resp.Valid || req.Flexible.and(req.Valid) != resp.Flexible.and(req.Valid) {
			return nil, fmt.Errorf("request and response of %s differ in versions", apiName(req.Name))
		}
		o.p("%s Key = %d // %s", keyName(req), k, req.Valid.text())
	}
	o.p(")\n")
	o.p("// apis describes every API, at the index of its key.")
	o.p("var apis = [...]api{")
	for k := range len(reqs) {
		m := reqs[k]
		flex := "neverFlexible"
		if !m.Flexible.empty() {
			flex = fmt.Sprint(m.Flexible.lo)
		}
		served := slices.Contains(m.Listeners, "zkBroker") && !m.Unstable
		o.p("%s: {name: %q, min: %d, max: %d, flexible: %s, advertised: %v, request: func() Body { return New%s() }, response: func() Body { return New%s() }},",
			keyName(m), apiName(m.Name), m.Valid.lo, m.Valid.hi, flex, served, goName(m.Name), goName(resps[k].Name))
	}
	o.p("}")
	return o, nil
}
