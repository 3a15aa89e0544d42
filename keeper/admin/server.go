package admin

import (
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// NotServing is the error of commands where no leader is heard.
const NotServing = "This ZooKeeper instance is not currently serving requests"

// Config is what a server answers by.
type Config struct {
	// URL is the path below which commands are (admin.commandURL, /commands).
	URL string
	// Commands are all there are.
	Commands []Command
	// Serves reports whether a leader is heard.
	Serves func() bool
	// Authorize decides by the header Authorization whether a protected command
	// may be given: 200, or a status and what is wrong.
	Authorize func(from Caller) (status int, fault string)
	Log       *slog.Logger
}

// Caller is who gives a command.
type Caller struct {
	// Scheme and Proof are the two words of the header Authorization.
	Scheme, Proof string
	// Addr is host:port of the other side.
	Addr string
	// Certificates are those it showed, verified.
	Certificates []*x509.Certificate
}

// Certifier is a connection that knows who the other side is.
type Certifier interface {
	Certificates() []*x509.Certificate
}

// ConnKey finds the connection in a request's context, where it is a Certifier.
type ConnKey struct{}

// Handler answers as ZooKeeper's server does; what it does not know is 404.
func Handler(c Config) http.Handler {
	s := &server{Config: c, byName: map[string]*Command{}}
	for i := range c.Commands {
		for _, name := range c.Commands[i].Names {
			s.byName[name] = &c.Commands[i]
		}
	}
	s.URL = "/" + strings.Trim(s.URL, "/")
	return s
}

type server struct {
	Config
	byName map[string]*Command
}

// ServeHTTP implements http.Handler.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rest, ok := strings.CutPrefix(r.URL.Path, s.URL)
	name, slash := strings.CutPrefix(rest, "/")
	switch {
	case !ok || rest != "" && !slash:
		http.NotFound(w, r)
	case r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodPost:
		http.Error(w, "a command is given by GET or POST", http.StatusMethodNotAllowed)
	case name == "":
		s.list(w)
	default:
		s.run(w, r, name)
	}
}

// list links to all commands.
func (s *server) list(w http.ResponseWriter) {
	var names []string
	for _, c := range s.Commands {
		names = append(names, c.Names[0])
	}
	slices.Sort(names)
	w.Header().Set("Content-Type", "text/html;charset=utf-8")
	for _, n := range names {
		_, _ = fmt.Fprintf(w, "<a href=\"%s/%s\">%s</a>\n<br/>\n", s.URL, n, n) // who left need not be told
	}
}

func (s *server) run(w http.ResponseWriter, r *http.Request, name string) {
	c := s.byName[name]
	switch {
	case c == nil:
		s.say(w, http.StatusOK, name, nil, "Unknown command: "+name)
		return
	case !c.Idle && !s.Serves():
		s.say(w, http.StatusOK, name, nil, NotServing)
		return
	}
	if c.Protected {
		if status, fault := s.authorized(r); status != http.StatusOK {
			s.Log.Warn("command refused", "command", name, "remote", r.RemoteAddr, "reason", fault)
			s.say(w, status, name, nil, fault)
			return
		}
	}
	var a Answer
	switch {
	case r.Method == http.MethodPost && c.Post != nil:
		a = c.Post(r.Context(), r.Body)
	case r.Method != http.MethodPost && c.Get != nil:
		a = c.Get(r.Context(), r.URL.Query())
	default:
		s.say(w, http.StatusMethodNotAllowed, c.Names[0], nil, r.Method+" is not for this command")
		return
	}
	for _, h := range a.Headers {
		w.Header()[h.Name] = []string{fmt.Sprint(h.Value)} // spelled as ZooKeeper does
	}
	if a.Stream == nil {
		s.say(w, max(a.Status, http.StatusOK), c.Names[0], a.Fields, nil)
		return
	}
	defer a.Stream.Close()
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.FormatInt(a.Size, 10))
	if _, err := io.Copy(w, a.Stream); err != nil {
		s.Log.Warn("answer not sent", "command", name, "remote", r.RemoteAddr, "error", err)
	}
}

// authorized asks whether a protected command may be given.
func (s *server) authorized(r *http.Request) (status int, fault string) {
	text := r.Header.Get("Authorization")
	if text == "" {
		return http.StatusUnauthorized, "Auth info is missing for the command"
	}
	parts := strings.Split(text, " ")
	from := Caller{Scheme: parts[0], Addr: r.RemoteAddr}
	switch len(parts) {
	case 1:
	case 2:
		from.Proof = parts[1]
	default:
		return http.StatusUnauthorized, "Not authenticated"
	}
	if c, ok := r.Context().Value(ConnKey{}).(Certifier); ok {
		from.Certificates = c.Certificates()
	}
	return s.Authorize(from)
}

// say sends JSON.
func (s *server) say(w http.ResponseWriter, status int, command string, fields Object, fault any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(appendAnswer(nil, command, fields, fault)) // who left need not be told
}
