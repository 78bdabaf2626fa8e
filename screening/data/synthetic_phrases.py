"""Phrases of the synthetic corpus: written for this toolkit, plain expressions of distress, no detail of any method."""

SLOTS: dict[str, tuple[str, ...]] = {
    "time": (
        "last night", "this week", "since spring", "for months", "today", "most evenings", "after the holidays",
        "for about {number} weeks", "ever since I moved", "lately", "this morning", "on {day}",
    ),
    "day": (
        "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday",
    ),
    "number": (
        "two", "three", "four", "five", "six", "ten", "a few", "several",
    ),
    "person": (
        "my mom", "my dad", "my sister", "my brother", "my roommate", "my boyfriend", "my girlfriend", "my wife",
        "my husband", "my best friend", "my boss", "my therapist", "my cousin", "a coworker", "my ex", "my aunt",
    ),
    "place": (
        "work", "school", "home", "the office", "class", "the library", "my apartment", "church", "the gym", "town",
    ),
    "thing": (
        "the dishes", "my emails", "the laundry", "my homework", "a shower", "breakfast", "the rent", "my classes",
        "the garden", "phone calls", "the groceries", "my paperwork",
    ),
    "hobby": (
        "drawing", "gaming", "guitar", "reading", "running", "cooking", "painting", "photography", "knitting",
        "climbing", "singing", "chess",
    ),
    "empty": (
        "empty", "numb", "hollow", "worthless", "grey", "flat", "heavy", "useless", "far away", "slow",
    ),
    "scared": (
        "scared", "shaky", "dizzy", "on edge", "breathless", "tense", "nervous", "panicky", "restless", "frozen",
    ),
    "tired": (
        "tired", "exhausted", "drained", "worn out", "done", "weary", "burned out",
    ),
    "med": (
        "my meds", "lithium", "the new prescription", "my mood stabiliser", "the antidepressant", "my dose",
    ),
    "event": (
        "the exam", "the wedding", "the interview", "the move", "the breakup", "the funeral", "the meeting",
        "my birthday", "the trip", "the presentation", "dinner with {person}", "the phone call",
    ),
    "dish": (
        "lentil soup", "sourdough", "a roast chicken", "fried rice", "tomato sauce", "pancakes", "a stew",
        "dumplings",
    ),
    "lift": (
        "squat", "deadlift", "bench press", "pull-up", "row", "overhead press",
    ),
    "city": (
        "Lisbon", "Denver", "Kyoto", "Leeds", "Montreal", "Oslo", "Austin", "Naples",
    ),
}  # fmt: skip

OPENERS: tuple[str, ...] = (
    "Throwaway because {person} knows my main.", "First time posting here.", "Sorry if this is long.",
    "I don't really know where to start.", "Not sure if this is the right place.", "I just need to get this out.",
    "Does anyone else feel like this?", "It's {number} in the morning and I can't sleep.", "Long time lurker here.",
    "I never talk about this.", "Hey everyone.", "So this happened {time}.",
)  # fmt: skip

CLOSERS: tuple[str, ...] = (
    "Thanks for reading.", "Any advice would help.", "I guess that's all.", "Sorry for rambling.",
    "I just wanted someone to know.", "Has anyone been through this?", "What would you do?", "Anyway.",
    "I feel a little better having typed this.", "Please tell me I'm not the only one.",
    "Edit: spelling &amp; grammar.",
)  # fmt: skip

# Said under every label: these sentences tell a reader nothing about the class.
SHARED: tuple[str, ...] = (
    "I feel so {empty} {time}.", "I am {tired} and nobody at {place} notices.", "I can't stop crying {time}.",
    "I had to leave {place} because I felt {scared}.", "I told {person} about it and it went badly.",
    "I have not slept well {time}.", "I keep thinking about {event}.", "I feel alone even when {person} is around.",
    "I hate myself for missing {event}.", "Everything fell apart after {event}.",
    "I don't know what is wrong with me.", "{person} says I should just cheer up.",
    "I can't afford a therapist right now.", "I see a doctor on {day}.",
    "I am on {med} but I don't know if it helps.", "I used to love {hobby}.", "I lost {number} friends {time}.",
    "I can barely get out of bed for {place}.", "My thoughts won't stop {time}.",
    "I feel like a burden to {person}.", "It has been like this for {number} years.", "I keep everything inside.",
    "I wish {person} would just listen.", "I cancelled {event} again.", "I drink more than I should {time}.",
    "I failed {number} things {time}.",
)  # fmt: skip

TOPICS: dict[str, tuple[str, ...]] = {
    "depression": (
        "I have no motivation to do {thing} or anything else.", "Depression makes {thing} feel impossible.",
        "I don't enjoy {hobby} anymore, nothing feels good.", "I sleep all day and still wake up {tired}.",
        "I feel {empty} and I can't remember being happy.", "My depression came back {time}.",
        "I stare at the wall instead of doing {thing}.", "I was diagnosed with depression {number} years ago.",
        "Getting up for {place} takes everything I have.", "I feel worthless next to {person}.",
        "I have stopped eating properly {time}.", "The antidepressant only makes me {empty}.",
        "I fake a smile at {place} and go back to bed.", "Some days I wish I could just not wake up.",
    ),
    "suicidewatch": (
        "I don't want to be alive anymore.", "I keep thinking about suicide {time}.",
        "I want to die and {person} has no idea.", "I can't see a reason to go on after {event}.",
        "I think everyone would be better off without me.", "I wrote a goodbye letter to {person}.",
        "I have decided that {day} is my last day.", "I am so close to ending it.",
        "I called the hotline {time} and hung up.", "Please, I need someone to talk to tonight.",
        "I just want the pain to stop forever.", "I have been suicidal {time}.",
        "The only thing keeping me here is {person}.", "I don't think I will make it to {event}.",
        "I said goodbye to {person} without them knowing.",
    ),
    "anxiety": (
        "My heart races whenever I go to {place}.", "I had a panic attack before {event}.",
        "I worry about {thing} until I feel {scared}.", "My anxiety is through the roof {time}.",
        "I rehearse every sentence before {event}.", "I feel {scared} and my chest is tight.",
        "Social anxiety makes {place} unbearable.", "I check my symptoms online {number} times a day.",
        "I can't answer phone calls without shaking.", "What if {person} is angry with me?",
        "I avoid {place} because I might panic.", "Breathing exercises help me before {event}.",
        "I overthink everything I said to {person}.", "I am afraid I will faint at {place}.",
    ),
    "offmychest": (
        "I cheated on {person} and the guilt is eating me.",
        "I never told {person} what really happened at {event}.",
        "I am so angry at {person} for what was said at {event}.", "I secretly love {hobby} and nobody knows.",
        "I lied about {event} to everyone at {place}.", "I finally stood up to {person} {time}.",
        "I am jealous of {person} and I hate it.", "{person} forgot my birthday and I pretended not to care.",
        "I quit my job at {place} and I feel free.", "I miss {person} more than I admit.",
        "I think I am falling for {person}.", "I am proud of myself for finishing {thing}, that's all.",
        "I can't forgive {person} for {event}.", "My family acts as if {event} never took place.",
    ),
    "bipolar": (
        "I think I am getting manic, I have slept {number} hours {time}.", "The crash after mania is brutal.",
        "My psychiatrist changed {med} {time}.", "I spent all my savings during an episode.",
        "I was diagnosed bipolar {number} years ago.",
        "I feel brilliant and unstoppable {time}, which scares {person}.",
        "Mixed episodes leave me {scared} and {empty} at once.", "I want to stop {med} because I miss the highs.",
        "Hypomania makes me start {hobby} and {number} other projects.", "Does lithium make anyone else {tired}?",
        "My mood swings from {empty} to wired within a day.", "I track my moods since {event}.",
        "I was hospitalised {time} for mania.", "{person} can tell when I am cycling before I can.",
    ),
}  # fmt: skip

# Sentences that decide how a post must be read; the words alone point to the wrong class.
STYLES: dict[str, tuple[str, ...]] = {
    "negated": (
        "I am not suicidal, I just want things to be easier.", "Don't worry, I would never kill myself.",
        "I don't want to die, I only want a break from {place}.", "To be clear, I have no plans of ending my life.",
        "I am safe and I am not thinking about suicide.",
    ),
    "quoted": (
        'The song goes "let the lights go out where nobody knows my name" and I play it all day.',
        'There is a line in a book, "I was ready to leave the world but the world held on", and I think of it {time}.',
        'A character in the show says "I want to die" and {person} laughed.',
        'My favourite band sings "no more mornings, no more me" and I used to scream it at {place}.',
        "We had to read a poem about suicide in class.",
    ),
    "third_person": (
        "I am worried about {person}, who talks about wanting to die.",
        "{person} told me about suicidal thoughts {time}.",
        "How do I help {person} when nothing I say gets through?", "{person} will not get help and I am {scared}.",
        "I found out that {person} wrote a goodbye letter.",
    ),
    "recovery": (
        "A year ago I wanted to die and today I am glad I stayed.",
        "It really does get better, I am {number} years on.", "I used to be suicidal and therapy saved me.",
        "I asked for help {time} and it was worth it.", "To anyone reading this: please hold on, I was there too.",
    ),
}  # fmt: skip

CONTROLS: dict[str, tuple[str, ...]] = {
    "cooking": (
        "How long should {dish} rest before serving?", "My {dish} came out too salty {time}.",
        "I swapped butter for oil in {dish} and it worked.", "What pan do you use for {dish}?",
        "I made {dish} for {person} on {day}.", "I would kill for a good recipe for {dish}.",
    ),
    "fitness": (
        "My {lift} has stalled {time}.", "I added {number} kilos to my {lift}.", "Is a {lift} every {day} too much?",
        "I was dead after {number} sets.", "My coach changed my {lift} form.", "I feel great after the gym.",
    ),
    "jobs": (
        "I had {number} interviews {time}.", "My boss wants a report by {day}.",
        "Should I ask for a raise after {event}?", "The deadline on {day} is going to be the death of me.",
        "I signed the offer {time}.", "I updated my resume.",
    ),
    "travel": (
        "We spent {number} days in {city}.", "Is {city} nice in spring?", "I missed my flight to {city} on {day}.",
        "{person} recommends a small hotel in {city}.", "I am dying to see {city} again.",
        "What should I pack for {city}?",
    ),
    "study": (
        "I need {number} more credits to graduate.", "The exam on {day} covers four chapters.",
        "My supervisor is slow to answer.", "I am anxious about my grade but it went fine.",
        "How do you take notes in lectures?", "I study best in the library.",
    ),
}  # fmt: skip
