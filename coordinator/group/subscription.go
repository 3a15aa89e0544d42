package group

import "encoding/binary"

// consumerProtocol is the protocol type of KafkaConsumer.
const consumerProtocol = "consumer"

// subscriptions returns the topics that members of a consumer group read, nil
// when that cannot be told: another protocol type, or bytes that do not parse.
func (g *group) subscriptions() map[string]struct{} {
	if !g.isConsumer() {
		return nil
	}
	topics := map[string]struct{}{}
	for _, mem := range g.order {
		if g.protocol == nil || !readSubscription(mem.metadata(*g.protocol), topics) {
			return nil
		}
	}
	return topics
}

// readSubscription adds the topics of a ConsumerProtocolSubscription. Version
// 0 is a prefix of all others, known or to come: version int16, topics
// [string], user data bytes.
func readSubscription(b []byte, topics map[string]struct{}) bool {
	if len(b) < 6 || int16(binary.BigEndian.Uint16(b)) < 0 {
		return false
	}
	n := int32(binary.BigEndian.Uint32(b[2:]))
	b = b[6:]
	if n < 0 {
		return false
	}
	for range n {
		if len(b) < 2 {
			return false
		}
		size := int(int16(binary.BigEndian.Uint16(b)))
		if b = b[2:]; size < 0 || size > len(b) {
			return false
		}
		topics[string(b[:size])] = struct{}{}
		b = b[size:]
	}
	if len(b) < 4 {
		return false
	}
	user := int32(binary.BigEndian.Uint32(b))
	return user < 0 || int(user) <= len(b)-4
}
