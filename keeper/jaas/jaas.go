package jaas

import (
	"fmt"
	"slices"
	"strings"
)

// Module is one login module of a section.
type Module struct {
	Class   string
	Flag    string // required, requisite, sufficient or optional
	Options map[string]string
}

// Parse returns the modules of every section by its name. Errors name the line,
// and never what stands in it: that may be a password.
func Parse(src string) (map[string][]Module, error) {
	p := &parser{src: src, line: 1}
	sections := map[string][]Module{}
	for {
		name, err := p.next()
		if err != nil {
			return nil, err
		}
		if name.kind == endOfFile {
			return sections, nil
		}
		if name.kind != word {
			return nil, p.wrong("the name of a section")
		}
		if _, twice := sections[name.text]; twice {
			return nil, fmt.Errorf("line %d: section %s is there twice", p.line, name.text)
		}
		if sections[name.text], err = p.section(); err != nil {
			return nil, err
		}
	}
}

// section reads "{ module; ... };".
func (p *parser) section() (modules []Module, err error) {
	if err := p.want("{"); err != nil {
		return nil, err
	}
	for {
		t, err := p.next()
		if err != nil {
			return nil, err
		}
		switch {
		case t.kind == sign && t.text == "}":
			return modules, p.want(";")
		case t.kind != word:
			return nil, p.wrong("a login module or }")
		}
		m, err := p.module(t.text)
		if err != nil {
			return nil, err
		}
		modules = append(modules, m)
	}
}

var flags = []string{"required", "requisite", "sufficient", "optional"}

// module reads "flag name=value ... ;" behind the class.
func (p *parser) module(class string) (Module, error) {
	m := Module{Class: class, Options: map[string]string{}}
	t, err := p.next()
	if err != nil {
		return m, err
	}
	if m.Flag = strings.ToLower(t.text); t.kind != word || !slices.Contains(flags, m.Flag) {
		return m, p.wrong("required, requisite, sufficient or optional")
	}
	for {
		name, err := p.next()
		if err != nil {
			return m, err
		}
		if name.kind == sign && name.text == ";" {
			return m, nil
		}
		if name.kind != word {
			return m, p.wrong("an option or ;")
		}
		if err := p.want("="); err != nil {
			return m, err
		}
		value, err := p.next()
		if err != nil {
			return m, err
		}
		if value.kind != word {
			return m, p.wrong("a value")
		}
		if strings.Contains(value.text, "${") {
			return m, fmt.Errorf("line %d: the value of %s refers to a Java system property, and there are none here", p.line, name.text)
		}
		m.Options[name.text] = value.text
	}
}

type tokenKind uint8

const (
	endOfFile tokenKind = iota
	sign
	word
)

type token struct {
	kind tokenKind
	text string
}

type parser struct {
	src  string
	line int
}

func (p *parser) wrong(want string) error {
	return fmt.Errorf("line %d: %s is expected", p.line, want)
}

func (p *parser) want(s string) error {
	t, err := p.next()
	if err == nil && (t.kind != sign || t.text != s) {
		err = p.wrong(s)
	}
	return err
}

// next cuts the next token off.
func (p *parser) next() (token, error) {
	if err := p.skip(); err != nil {
		return token{}, err
	}
	switch {
	case p.src == "":
		return token{}, nil
	case strings.IndexByte("{};=", p.src[0]) >= 0:
		return token{sign, p.take(1)}, nil
	case p.src[0] == '"':
		return p.quoted()
	}
	n := strings.IndexAny(p.src, "{};=\" \t\r\n\f")
	if n < 0 {
		n = len(p.src)
	}
	return token{word, p.take(n)}, nil
}

// take cuts n bytes off and counts their lines.
func (p *parser) take(n int) string {
	s := p.src[:n]
	p.line += strings.Count(s, "\n")
	p.src = p.src[n:]
	return s
}

// skip passes space and comments.
func (p *parser) skip() error {
	for {
		p.take(len(p.src) - len(strings.TrimLeft(p.src, " \t\r\n\f")))
		switch {
		case strings.HasPrefix(p.src, "//"):
			n := strings.IndexByte(p.src, '\n')
			if n < 0 {
				n = len(p.src)
			}
			p.take(n)
		case strings.HasPrefix(p.src, "/*"):
			n := strings.Index(p.src[2:], "*/")
			if n < 0 {
				return fmt.Errorf("line %d: a comment has no end", p.line)
			}
			p.take(n + 4)
		default:
			return nil
		}
	}
}

// quoted reads a text between quotes, which ends on its line.
func (p *parser) quoted() (token, error) {
	var b strings.Builder
	for i := 1; i < len(p.src) && p.src[i] != '\n'; i++ {
		switch c := p.src[i]; c {
		case '"':
			p.take(i + 1)
			return token{word, b.String()}, nil
		case '\\':
			if i++; i == len(p.src) || p.src[i] == '\n' {
				return token{}, p.wrong("a closing quote")
			}
			b.WriteByte(unescape(p.src[i]))
		default:
			b.WriteByte(c)
		}
	}
	return token{}, p.wrong("a closing quote")
}

// unescape returns what a letter behind a backslash stands for.
func unescape(c byte) byte {
	switch c {
	case 'n':
		return '\n'
	case 't':
		return '\t'
	case 'r':
		return '\r'
	}
	return c
}
