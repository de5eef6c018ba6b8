package haproxy

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/lbaas"
)

func TestExpression(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{`(a|b)`, `(a|b)`},
		{`(.)\1`, `(?<plain1>.)\1`},
		{`(?:x)(?<n>y)(z)\2\1`, `(?:x)(?<n>y)(?<plain1>z)\2\1`},
		{`\(([(])[^]([:alpha:]](?#()\Q(\E(b)\2`, `\((?<plain1>[(])[^]([:alpha:]](?#()\Q(\E(?<plain2>b)\2`},
		{`\Q(\1`, `\Q(\1`},
		{`[(\1`, `[(\1`},
		{`(?#(\1`, `(?#(\1`},
		{`\1\`, `\1\`},
	} {
		if got := expression(test.text); got != test.want {
			t.Errorf("expression(%s) = %s, want %s", test.text, got, test.want)
		}
	}
}

// TestRandomExpressions shows HAProxy random expressions that the API takes.
func TestRandomExpressions(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var all []string
	for len(all) < 2000 {
		text := randomExpression(random, 3)
		if lbaas.CheckRegex(text) == nil && len(text) <= lbaas.MaxName {
			all = append(all, text)
		}
	}
	spec := Render(simpleTree(), nil, nil, testDir)
	f := find(spec, "frontend "+uid(1, 1))
	rest := f.Lines
	f.Lines = nil
	for i, text := range all {
		f.Lines = append(f.Lines, fmt.Sprintf("acl a%d path -m reg -- %s", i, Quote(expression(text))))
	}
	f.Lines = append(f.Lines, rest...)
	f.Owners = make([]string, len(f.Lines))
	if output, err := takes(t, &enginepb.Spec{Sections: spec.Sections, Servers: spec.Servers}); err != nil {
		t.Errorf("HAProxy refuses expressions: %v\n%s", err, output)
	}
}

// randomExpression is made of everything that RE2 knows and what PCRE and Python have beside it.
func randomExpression(random *rand.Rand, depth int) string {
	one := func(list string) string {
		words := strings.Fields(list)
		return words[random.IntN(len(words))]
	}
	var text strings.Builder
	for range 1 + random.IntN(3) {
		switch {
		case depth > 0 && random.IntN(3) == 0:
			text.WriteString(one(`( (?: (?P<n> (?<n> (?<m> (?= (?! (?<= (?<! (?> (?i: (?s-m: (?U: (?'o'`) + randomExpression(random, depth-1) + ")")
		default:
			text.WriteString(one(`a b . ^ $ \d \w \s \b \B \A \z \Z \pL \p{Greek} \p{^Lu} \PN \x41 \x{41} \x{ff} \x{263a} \123 \0 \1 \2 \k<n> (?P=n)
				\Q.+(\E \a \t \- \/ é 漢 [a-z] [^a] [[:alpha:]] [[:^digit:]] [\d-z] [a\]b] []a] [^]a] [é-ü] [\x{100}-\x{200}] [a-\x{ff}] [\pL\d]
				[a-c-e] [--a] [[.a.]] [[=a=]] [\p{Greek}-] [\pL-z] [[:alpha:]-z] [\x41-z] { } {2 x{,3} ] - # (?i) (?m) \C \h \R \K \G \E \cA \e`))
		}
		if random.IntN(3) == 0 {
			text.WriteString(one(`* + ? {2} {2,} {1,3} *? +? ?? *+ ++ ?+ {2}+ {101} {0} {3,1} ** {2}{3} {,2}`))
		}
		if random.IntN(8) == 0 {
			text.WriteString("|")
		}
	}
	return text.String()
}
