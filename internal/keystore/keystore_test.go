package keystore

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The files in testdata were written by keytool of OpenJDK 17 and by OpenSSL 3;
// all hold one key pair of CN=server.
func file(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestKeys(t *testing.T) {
	f := func(kind Kind, name, password string) {
		t.Helper()
		got, err := Keys(kind, file(t, name), password)
		if err != nil || len(got) != 1 || got[0].Leaf.Subject.String() != "CN=server" || len(got[0].Certificate) != 1 {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	f(JKS, "keytool.jks", "changeit")
	f(PKCS12, "keytool.pkcs12", "changeit")
	f(JKS, "keytool.pkcs12", "changeit")
	f(PKCS12, "keytool.jks", "changeit")
	f(PEM, "plain.pem", "")
	f(PEM, "ec.pem", "")
	f(PEM, "encrypted.pem", "changeit")
}

func TestTrusted(t *testing.T) {
	f := func(kind Kind, name string) {
		t.Helper()
		got, err := Trusted(kind, file(t, name), "changeit")
		if err != nil || len(got) != 1 || got[0].Subject.String() != "CN=server" {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	f(JKS, "trust.jks")
	f(PKCS12, "trust.pkcs12")
	f(JKS, "trust.pkcs12")
	f(PEM, "cert.pem")
	f(PEM, "plain.pem")
}

func TestWhatCannotBeUsed(t *testing.T) {
	keys := func(kind Kind, data []byte, password, want string) {
		t.Helper()
		if _, err := Keys(kind, data, password); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	keys(JKS, file(t, "keytool.jks"), "wrong", "password")
	keys(JKS, file(t, "keytool.jks")[:100], "changeit", "")
	keys(PKCS12, file(t, "keytool.pkcs12"), "wrong", "password")
	keys(PKCS12, []byte("nonsense"), "", "")
	keys(JKS, file(t, "trust.jks"), "changeit", "no private key")
	keys(PEM, file(t, "cert.pem"), "", "no private key")
	keys(PEM, file(t, "encrypted.pem"), "", "needs a password")
	keys(PEM, file(t, "encrypted.pem"), "wrong", "ENCRYPTED PRIVATE KEY")
	keys(PEM, file(t, "old.pem"), "changeit", "topk8")
	keys(PEM, file(t, "stranger.pem"), "", "not that of the certificate")
	keys(PEM, make([]byte, MaxSize+1), "", "at most")

	trusted := func(kind Kind, data []byte, want string) {
		t.Helper()
		if _, err := Trusted(kind, data, "changeit"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	trusted(JKS, file(t, "keytool.jks"), "no trusted certificate")
	trusted(PKCS12, file(t, "keytool.pkcs12"), "pkcs12")
	trusted(PEM, []byte("nothing"), "no trusted certificate")
	trusted(PEM, make([]byte, MaxSize+1), "at most")
}

func TestKindOf(t *testing.T) {
	f := func(name, file string, want Kind) {
		t.Helper()
		if got, err := KindOf(name, file); got != want || (err == nil) != (want != "") {
			t.Errorf("KindOf(%q, %q) = %q, %v", name, file, got, err)
		}
	}
	f("", "/etc/a.jks", JKS)
	f("", "/etc/a.p12", PKCS12)
	f("", "/etc/a.pem", PEM)
	f("pem", "/etc/a.jks", PEM)
	f("PKCS12", "/etc/a", PKCS12)
	f("", "/etc/a.pfx", "")
	f("BCFKS", "/etc/a.bcfks", "")
}
