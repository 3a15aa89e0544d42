package node

import (
	"strings"
	"testing"

	"github.com/gregor-mq/gregor/config"
)

func TestProtectionThatIsNotServedIsRefused(t *testing.T) {
	f := func(property string) {
		t.Helper()
		b, _, err := config.Load(config.Source{Overrides: []string{property}})
		if err != nil {
			t.Fatal(err)
		}
		if err := unserved(b); err == nil || !strings.Contains(err.Error(), property) {
			t.Errorf("%s: %v", property, err)
		}
	}
	f("authorizer.class.name=kafka.security.authorizer.AclAuthorizer")
	f("zookeeper.set.acl=true")
	b, _, err := config.Load(config.Source{})
	if err != nil || unserved(b) != nil {
		t.Errorf("the profile is refused: %v, %v", err, unserved(b))
	}
}
