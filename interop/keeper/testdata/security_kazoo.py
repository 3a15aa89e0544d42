"""kazoo: TLS with and without a certificate, DIGEST-MD5, digest, addresses."""
import sys

from kazoo.client import KazooClient
from kazoo.exceptions import KazooException, NoAuthError
from kazoo.security import ACL, Id, Permissions, make_digest_acl

plain, secure, ca, cert, key, ca_of_others = sys.argv[1:]
ALL = Permissions.ALL


def connected(hosts, **options):
    zk = KazooClient(hosts=hosts, timeout=20, **options)
    zk.start(30)
    return zk


def refused(zk, path):
    try:
        zk.get(path)
    except NoAuthError:
        return True
    return False


with_cert = connected(secure, use_ssl=True, ca=ca, certfile=cert, keyfile=key, verify_certs=True)
with_cert.create("/kazoo", acl=[ACL(ALL, Id("auth", ""))])
acls, _ = with_cert.get_acls("/kazoo")
assert [(a.id.scheme, a.id.id) for a in acls] == [("x509", "CN=python")], acls

without = connected(secure, use_ssl=True, ca=ca, verify_certs=True)
assert refused(without, "/kazoo")
without.add_auth("digest", "kazoo:secret")
without.create("/kazoo-digest", acl=[make_digest_acl("kazoo", "secret", all=True)])
without.get("/kazoo-digest")
assert refused(with_cert, "/kazoo-digest")

wrong = KazooClient(hosts=secure, use_ssl=True, ca=ca_of_others, verify_certs=True)
try:
    wrong.start(2)
    raise SystemExit("a server of a strange authority was believed")
except wrong.handler.timeout_exception:
    pass
wrong.close()


def sasl(user, password):
    return {"mechanism": "DIGEST-MD5", "username": user, "password": password}


alice = connected(plain, sasl_options=sasl("alice", "alice-secret"))
alice.create("/kazoo-sasl", acl=[ACL(ALL, Id("auth", ""))])
acls, _ = alice.get_acls("/kazoo-sasl")
assert [(a.id.scheme, a.id.id) for a in acls] == [("sasl", "alice")], acls
assert refused(without, "/kazoo-sasl")
for user, password in (("alice", "wrong"), ("mallory", "alice-secret")):
    zk = KazooClient(hosts=plain, sasl_options=sasl(user, password))
    try:
        zk.start(10)
        zk.exists("/")
        raise SystemExit(user + " got in")
    except (KazooException, zk.handler.timeout_exception):
        pass
    assert not zk.connected
    zk.stop()
    zk.close()

plainly = connected(plain)
plainly.create("/kazoo-ip", acl=[ACL(ALL, Id("ip", "127.0.0.0/8"))])
plainly.get("/kazoo-ip")
plainly.create("/kazoo-ip-else", acl=[ACL(ALL, Id("ip", "10.0.0.0/8"))])
assert refused(plainly, "/kazoo-ip-else")
for zk in (with_cert, without, alice, plainly):
    zk.stop()
    zk.close()
print("all is well")
