package jaas

import (
	"errors"
	"fmt"
	"strings"
)

// DigestLoginModule is the module whose options are ZooKeeper's users.
const DigestLoginModule = "org.apache.zookeeper.server.auth.DigestLoginModule"

// DefaultSection is where ZooKeeper looks unless zookeeper.sasl.serverconfig
// names another section.
const DefaultSection = "Server"

// userPrefix marks the options that are users.
const userPrefix = "user_"

// Users returns the passwords of a section by user: user_alice="secret" is
// alice's. A section without users is an error, as is any other login module.
func Users(src, section string) (map[string]string, error) {
	sections, err := Parse(src)
	if err != nil {
		return nil, err
	}
	modules, ok := sections[section]
	if !ok {
		return nil, fmt.Errorf("no section named %q", section)
	}
	users := map[string]string{}
	for _, m := range modules {
		if m.Class != DigestLoginModule {
			return nil, fmt.Errorf("section %s: %s: only %s is served", section, m.Class, DigestLoginModule)
		}
		for name, password := range m.Options {
			if user, ok := strings.CutPrefix(name, userPrefix); ok && user != "" {
				users[user] = password
			}
		}
	}
	if len(users) == 0 {
		return nil, errors.New("section " + section + ": no option user_NAME=\"password\"")
	}
	return users, nil
}
