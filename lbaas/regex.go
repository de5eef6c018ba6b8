package lbaas

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
)

// CheckRegex tells whether a text is a regular expression that the data plane will compile. Octavia asks Python, and HAProxy speaks
// PCRE, which is nearly the same; Go's RE2 has less of it. So what RE2 compiles is taken, and so is what it would compile if the
// constructs that RE2 leaves out (looking around, back references, atomic groups, possessive repeats, comments, \Z, repeats over a
// thousand) were replaced by their nearest kin. All else is refused: conditionals, recursion and flags that RE2 does not know
// among it, and what RE2 compiles and PCRE does not. The nearest kin serves this check only; nothing is ever matched with it.
func CheckRegex(text string) error {
	if err := checkDialect(text); err != nil {
		return err
	}
	return checkPCRE(text)
}

// checkDialect judges by RE2, and by what is known of Python and PCRE.
func checkDialect(text string) error {
	re, err := parseRegex(text)
	if err == nil {
		return checkNames(re)
	}
	t := translation{text: text}
	if t.run() != nil {
		return plainRegexError(err)
	}
	kin, again := parseRegex(t.out.String())
	if again != nil {
		return plainRegexError(err)
	}
	if err := checkNames(kin); err != nil {
		return err
	}
	return t.check()
}

// parseRegex says what regexp.Compile would say, and makes no program: one for a hundred groups within each other, a thousand times, takes
// forty megabytes and a tenth of a second, and a request may have hundreds of those.
func parseRegex(text string) (*syntax.Regexp, error) { return syntax.Parse(text, syntax.Perl) }

// checkNames refuses two groups of one name, which RE2 takes and PCRE does not.
func checkNames(re *syntax.Regexp) error {
	seen := map[string]bool{}
	for _, name := range re.CapNames() {
		if name != "" && seen[name] {
			return fmt.Errorf("redefinition of group name %s", name)
		}
		seen[name] = true
	}
	return nil
}

// plainRegexError drops the words that Go's errors begin with.
func plainRegexError(err error) error {
	var known *syntax.Error
	if errors.As(err, &known) {
		return fmt.Errorf("%s: %s", known.Code, known.Expr)
	}
	return err
}

// translation is a regular expression on its way to RE2's dialect.
type translation struct {
	text string
	at   int // of what is read next
	out  strings.Builder

	open    []group // the groups that are open
	groups  int     // that capture
	names   map[string]bool
	numbers []int    // that back references name
	named   []string // likewise
	behind  []string // the translated bodies of what looks behind
}

// group is an open parenthesis.
type group struct {
	start  int // of its body, in the translation
	behind bool
}

var errNoTranslation = errors.New("no translation")

func (t *translation) run() error {
	for t.at < len(t.text) {
		if err := t.step(); err != nil {
			return err
		}
	}
	if len(t.open) > 0 {
		return errNoTranslation
	}
	return nil
}

// step translates what comes next, and lets everything that RE2 has be as it is.
func (t *translation) step() error {
	switch c := t.text[t.at]; c {
	case '\\':
		return t.escape()
	case '[':
		return t.class()
	case '(':
		return t.parenthesis()
	case ')':
		return t.closing()
	case '*', '+', '?':
		t.copy(1)
		return t.mode()
	case '{':
		return t.repeat()
	default:
		t.copy(1)
	}
	return nil
}

// copy takes n bytes over.
func (t *translation) copy(n int) {
	t.out.WriteString(t.text[t.at : t.at+n])
	t.at += n
}

func (t *translation) skip(prefix string) bool {
	if !strings.HasPrefix(t.text[t.at:], prefix) {
		return false
	}
	t.at += len(prefix)
	return true
}

// mode reads what may follow a repeat: a question mark makes it lazy, a plus possessive, which RE2 does not know. No further repeat
// may come then.
func (t *translation) mode() error {
	if strings.HasPrefix(t.text[t.at:], "?") {
		t.copy(1)
		return nil
	}
	if !t.skip("+") {
		return nil
	}
	rest := t.text[t.at:]
	if rest != "" && strings.IndexByte("*+?", rest[0]) >= 0 || braces.MatchString(rest) {
		return errNoTranslation
	}
	return nil
}

var braces = regexp.MustCompile(`^\{([0-9]{1,5})(,([0-9]{1,5})?)?\}`)

// maxRepeat is PCRE's bound of a repeat; re2Repeat is RE2's.
const maxRepeat, re2Repeat = 65535, 1000

// repeat brings a counted repeat within RE2's bound; braces of any other form are themselves.
func (t *translation) repeat() error {
	parts := braces.FindStringSubmatch(t.text[t.at:])
	if parts == nil {
		t.copy(1)
		return nil
	}
	low, _ := strconv.Atoi(parts[1])
	high, err := strconv.Atoi(parts[3])
	if err != nil {
		high = low
	}
	if low <= maxRepeat && high <= maxRepeat && low <= high && high > re2Repeat {
		t.out.WriteString("{" + strconv.Itoa(min(low, re2Repeat)) + "," + strconv.Itoa(re2Repeat) + "}")
		t.at += len(parts[0])
	} else {
		t.copy(len(parts[0]))
	}
	return t.mode()
}

var nameReference = regexp.MustCompile(`^\\k(?:<([A-Za-z_][A-Za-z0-9_]*)>|\{([A-Za-z_][A-Za-z0-9_]*)\}|'([A-Za-z_][A-Za-z0-9_]*)')`)

func (t *translation) escape() error {
	rest := t.text[t.at:]
	if len(rest) < 2 {
		return errNoTranslation
	}
	parts := nameReference.FindStringSubmatch(rest)
	switch {
	case rest[1] == 'Q': // a quotation is as long as RE2 says
		return errNoTranslation
	case rest[1] == 'Z':
		t.at += 2
		t.out.WriteString(`\z`)
	case parts != nil:
		t.at += len(parts[0])
		t.refer(parts[1] + parts[2] + parts[3])
	case rest[1] >= '1' && rest[1] <= '9':
		t.number()
	default:
		t.copy(2)
	}
	return nil
}

// number reads a back reference by number; of more than two digits it is a character's code, as in Python.
func (t *translation) number() {
	end := t.at + 2
	for end < len(t.text) && end < t.at+4 && t.text[end] >= '0' && t.text[end] <= '9' {
		end++
	}
	if end == t.at+4 {
		t.copy(4)
		return
	}
	n, _ := strconv.Atoi(t.text[t.at+1 : end])
	t.numbers = append(t.numbers, n)
	t.at = end
	t.out.WriteString("(?:)")
}

func (t *translation) refer(name string) {
	t.named = append(t.named, name)
	t.out.WriteString("(?:)")
}

// class takes a bracket expression over as it is.
func (t *translation) class() error {
	end := t.at + 1
	for _, first := range []string{"^", "]"} {
		if strings.HasPrefix(t.text[end:], first) {
			end++
		}
	}
	for end < len(t.text) && t.text[end] != ']' {
		switch {
		case t.text[end] == '\\':
			end++
		case strings.HasPrefix(t.text[end:], "[:"):
			if i := strings.Index(t.text[end:], ":]"); i > 0 {
				end += i + 1
			}
		}
		end++
	}
	if end >= len(t.text) {
		return errNoTranslation
	}
	t.copy(end + 1 - t.at)
	return nil
}

var nameBack = regexp.MustCompile(`^\(\?P=([A-Za-z_][A-Za-z0-9_]*)\)`)

var groupName = regexp.MustCompile(`^\(\?P?(?:<([A-Za-z_][A-Za-z0-9_]*)>|'([A-Za-z_][A-Za-z0-9_]*)')`)

func (t *translation) parenthesis() error {
	if parts := nameBack.FindStringSubmatch(t.text[t.at:]); parts != nil {
		t.at += len(parts[0])
		t.refer(parts[1])
		return nil
	}
	if t.skip("(?#") {
		end := strings.IndexByte(t.text[t.at:], ')')
		if end < 0 {
			return errNoTranslation
		}
		t.at += end + 1
		return nil
	}
	return t.group()
}

// group opens a group: one of those that RE2 lacks as one that does not capture.
func (t *translation) group() error {
	for _, behind := range []string{"(?<=", "(?<!"} {
		if t.skip(behind) {
			return t.begin("(?:", true)
		}
	}
	for _, lacking := range []string{"(?=", "(?!", "(?>"} {
		if t.skip(lacking) {
			return t.begin("(?:", false)
		}
	}
	if parts := groupName.FindStringSubmatch(t.text[t.at:]); parts != nil {
		t.at += len(parts[0])
		if t.names == nil {
			t.names = map[string]bool{}
		}
		t.groups++
		t.names[parts[1]+parts[2]] = true
		return t.begin("(?P<"+parts[1]+parts[2]+">", false)
	}
	if t.skip("(?") {
		return t.begin("(?", false)
	}
	t.at++
	t.groups++
	return t.begin("(", false)
}

func (t *translation) begin(prefix string, behind bool) error {
	t.out.WriteString(prefix)
	t.open = append(t.open, group{t.out.Len(), behind})
	return nil
}

func (t *translation) closing() error {
	if len(t.open) == 0 {
		return errNoTranslation
	}
	last := t.open[len(t.open)-1]
	t.open = t.open[:len(t.open)-1]
	if last.behind {
		t.behind = append(t.behind, t.out.String()[last.start:])
	}
	t.copy(1)
	return nil
}

// check looks at what the translation hides: that references have something to refer to, and that what looks behind knows
// how far.
func (t *translation) check() error {
	for _, n := range t.numbers {
		if n > t.groups {
			return fmt.Errorf("invalid group reference %d", n)
		}
	}
	for _, name := range t.named {
		if !t.names[name] {
			return fmt.Errorf("unknown group name %s", name)
		}
	}
	for _, body := range t.behind {
		tree, err := parseRegex(body)
		if err != nil {
			return plainRegexError(err)
		}
		if _, fixed := width(tree); !fixed {
			return errors.New("look-behind requires fixed-width pattern")
		}
	}
	return nil
}

// width is how many characters an expression matches, where that is always the same.
func width(r *syntax.Regexp) (n int, fixed bool) {
	switch r.Op {
	case syntax.OpLiteral:
		return len(r.Rune), true
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return 1, true
	case syntax.OpCapture:
		return width(r.Sub[0])
	case syntax.OpRepeat:
		n, fixed = width(r.Sub[0])
		return n * r.Min, fixed && r.Min == r.Max
	case syntax.OpConcat:
		return widthOfAll(r.Sub)
	case syntax.OpAlternate:
		return widthOfEach(r.Sub)
	case syntax.OpStar, syntax.OpPlus, syntax.OpQuest, syntax.OpNoMatch:
		return 0, false
	}
	return 0, true // what matches no character
}

func widthOfAll(parts []*syntax.Regexp) (n int, fixed bool) {
	for _, p := range parts {
		m, ok := width(p)
		if !ok {
			return 0, false
		}
		n += m
	}
	return n, true
}

func widthOfEach(parts []*syntax.Regexp) (n int, fixed bool) {
	for i, p := range parts {
		m, ok := width(p)
		if !ok || i > 0 && m != n {
			return 0, false
		}
		n = m
	}
	return n, true
}
