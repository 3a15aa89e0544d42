package env

// RandomUUID draws a random UUID: version 4 of RFC 4122, as Java's randomUUID.
func RandomUUID(r Rand) (id [16]byte) {
	r.Read(id[:])
	id[6] = id[6]&0x0f | 0x40 // the version
	id[8] = id[8]&0x3f | 0x80 // the variant
	return id
}
