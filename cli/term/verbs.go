package term

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// misspelt is how many letters a word may be off to be taken for a verb, as cobra
// has it for the verbs of the program.
const misspelt = 2

// Verbs makes a command that only has others below it refuse a word that is none of
// them: cobra prints the help for it, and succeeds. Without a word there is the
// help still.
func Verbs(cmd *cobra.Command) {
	cmd.SuggestionsMinimumDistance = misspelt
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		return unknownVerb(cmd, args[0])
	}
	// The flags of a verb that is none are unknown too: the word is what to tell.
	cmd.SetFlagErrorFunc(func(at *cobra.Command, err error) error {
		if at == cmd && cmd.Flags().NArg() > 0 {
			return unknownVerb(cmd, cmd.Flags().Arg(0))
		}
		return err
	})
}

func unknownVerb(cmd *cobra.Command, word string) error {
	text := fmt.Sprintf("unknown command %q for %q", word, cmd.CommandPath())
	if like := cmd.SuggestionsFor(word); len(like) > 0 {
		text += "; did you mean " + strings.Join(like, " or ") + "?"
	}
	return errors.New(text)
}
