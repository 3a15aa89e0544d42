package jaas

import (
	"reflect"
	"strings"
	"testing"
)

const example = `// of the documentation
Server {
       org.apache.zookeeper.server.auth.DigestLoginModule required
       user_super="adminsecret" /* the one */
       user_bob="bob\"s;= secret" user_x=plain;
};
Client { org.apache.zookeeper.server.auth.DigestLoginModule REQUIRED username="bob" password="b";
         a.b.C optional; };
`

func TestParse(t *testing.T) {
	got, err := Parse(example)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]Module{
		"Server": {{DigestLoginModule, "required", map[string]string{"user_super": "adminsecret", "user_bob": `bob"s;= secret`, "user_x": "plain"}}},
		"Client": {
			{DigestLoginModule, "required", map[string]string{"username": "bob", "password": "b"}},
			{"a.b.C", "optional", map[string]string{}},
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%v\nwant\n%v", got, want)
	}
}

func TestUsers(t *testing.T) {
	got, err := Users(example, DefaultSection)
	if err != nil || !reflect.DeepEqual(got, map[string]string{"super": "adminsecret", "bob": `bob"s;= secret`, "x": "plain"}) {
		t.Errorf("%v, %v", got, err)
	}
	f := func(src, section, want string) {
		t.Helper()
		_, err := Users(src, section)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%v, want %s", err, want)
		}
	}
	f(example, "Nobody", `no section named "Nobody"`)
	f(example, "Client", "only org.apache.zookeeper")
	f(`Server { com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true; };`, "Server", "Krb5LoginModule")
	f(`Server { `+DigestLoginModule+` required; };`, "Server", "user_NAME")
	f(`Server { `+DigestLoginModule+` required user_a="${hidden}"; };`, "Server", "line 1: the value of user_a refers")
	f(`Server { `+DigestLoginModule+` maybe user_a="hidden"; };`, "Server", "line 1: required")
	f("Server {\n"+DigestLoginModule+" required user_a=\"hidden\n; };", "Server", "line 2: a closing quote")
	f(`Server { `+DigestLoginModule+` required user_a="hidden" };`, "Server", "an option or ;")
	f(`Server { `+DigestLoginModule+` required user_a="hidden"; }`, "Server", "; is expected")
	f(`Server { `+DigestLoginModule+` required user_a "hidden"; };`, "Server", "= is expected")
	f(`/* Server`, "Server", "a comment has no end")
	f(`Server { }; Server { };`, "Server", "twice")
}

func FuzzParse(f *testing.F) {
	f.Add(example)
	f.Fuzz(func(t *testing.T, src string) {
		sections, err := Parse(src)
		if err != nil && sections != nil {
			t.Fatal("both a result and an error")
		}
		for _, modules := range sections {
			for _, m := range modules {
				if m.Class == "" && !strings.Contains(src, `""`) {
					t.Fatalf("%q has a module without a class", src)
				}
			}
		}
	})
}
