package crash

import (
	"fmt"
	"testing"

	"github.com/gregor-mq/gregor/test/inside"
	"github.com/twmb/franz-go/pkg/kadm"
)

// TestUpMeansWholeMetadata asks a broker for its topics the moment it says that
// it is up: none of them may be unknown.
func TestUpMeansWholeMetadata(t *testing.T) {
	m := inside.New(0, nil)
	var topics []string
	for i := range 40 {
		topics = append(topics, fmt.Sprintf("topic-%d", i))
	}
	for life := range 10 {
		n, err := m.Start(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		cl := newClient(t, clientOptions(inside.Kafka, m.Options()...))
		adm := kadm.NewClient(cl)
		if life == 0 {
			resp, err := adm.CreateTopics(t.Context(), 2, 1, nil, topics...)
			if err == nil {
				err = resp.Error()
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		listed, err := adm.ListTopics(t.Context(), topics...)
		if err == nil {
			err = listed.Error()
		}
		if err != nil || len(listed) != len(topics) {
			t.Errorf("life %d: %d of %d topics, %v", life, len(listed), len(topics), err)
		}
		cl.Close()
		if err := inside.Stop(n); err != nil {
			t.Fatal(err)
		}
	}
}
