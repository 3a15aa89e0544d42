package tree

import (
	"net/netip"
	"strconv"
	"strings"
)

// parseIPACL reads an address, or a prefix in bits, by the rules of ZooKeeper's
// IPAuthenticationProvider: numbers may have signs and zeros in front of them.
func parseIPACL(s string) (netip.Prefix, bool) {
	text, bits, prefix := strings.Cut(s, "/")
	addr, ok := parseIP(text)
	if !ok {
		return netip.Prefix{}, false
	}
	n := addr.BitLen()
	if prefix {
		var err error
		if n, err = strconv.Atoi(bits); err != nil || n < 0 || n > addr.BitLen() {
			return netip.Prefix{}, false
		}
	}
	return netip.PrefixFrom(addr, n), true
}

func parseIP(s string) (netip.Addr, bool) {
	if strings.Contains(s, ":") {
		return parseIPv6(s)
	}
	parts := strings.Split(s, ".")
	var b [4]byte
	if len(parts) != len(b) {
		return netip.Addr{}, false
	}
	for i, p := range parts {
		n, err := strconv.Atoi(p)
		if err != nil || n < 0 || n > 255 {
			return netip.Addr{}, false
		}
		b[i] = byte(n)
	}
	return netip.AddrFrom4(b), true
}

// parseIPv6 knows eight groups, or fewer around one "::", and no dotted part.
func parseIPv6(s string) (netip.Addr, bool) {
	var b [16]byte
	head, tail, short := strings.Cut(s, "::")
	before, ok := parseGroups(head, short)
	after, fine := parseGroups(tail, true)
	if !ok || !fine || !short && len(before) != len(b) || short && len(before)+len(after) >= len(b) {
		return netip.Addr{}, false
	}
	copy(b[:], before)
	copy(b[len(b)-len(after):], after)
	return netip.AddrFrom16(b), true
}

// parseGroups reads numbers of up to four hexadecimal digits between colons.
func parseGroups(s string, mayBeEmpty bool) (b []byte, ok bool) {
	const digits = 4
	if s == "" && mayBeEmpty {
		return nil, true
	}
	for p := range strings.SplitSeq(s, ":") {
		n, err := strconv.ParseInt(p, 16, 32)
		if err != nil || len(p) > digits {
			return nil, false
		}
		b = append(b, byte(n>>8), byte(n))
	}
	return b, true
}
