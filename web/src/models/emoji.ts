/** Common emoji by their short names, and by other words for them. Loaded when somebody writes the first name. */
import type { Choice } from './choices';

/** In each line an emoji, its name, and the other words. */
const TABLE = `
😀 grinning happy
😃 smiley happy
😄 smile happy
😁 grin beaming
😆 laughing satisfied
😅 sweat_smile relief
😂 joy tears laugh lol
🤣 rofl laugh
🙂 slight_smile
🙃 upside_down irony
😉 wink
😊 blush shy
😇 innocent angel halo
🥰 smiling_hearts adore
😍 heart_eyes love
🤩 star_struck wow
😘 kiss
😋 yum tasty
😛 tongue
😜 wink_tongue crazy
🤪 zany goofy
🤗 hug
🤭 oops giggle
🤫 shush quiet
🤔 thinking hmm
🤐 zipper_mouth secret
🤨 raised_eyebrow sceptical
😐 neutral meh
😑 expressionless
😶 no_mouth speechless
😏 smirk
😒 unamused
🙄 eye_roll
😬 grimacing awkward
😌 relieved calm
😔 pensive
😴 sleeping zzz
😷 mask ill
🤒 fever ill
🤕 hurt bandage
🤢 nauseated sick
🤮 vomiting sick
🤧 sneezing
🥵 hot
🥶 cold freezing
🥴 woozy
😵 dizzy_face
🤯 mind_blown exploding_head
🤠 cowboy
🥳 partying celebrate
😎 sunglasses cool
🤓 nerd
🧐 monocle inspect
😕 confused
😟 worried
🙁 slight_frown
😮 open_mouth surprise
😯 hushed
😲 astonished shocked
😳 flushed embarrassed
🥺 pleading please
😨 fearful
😰 anxious
😥 disappointed_relieved
😢 cry sad
😭 sob
😱 scream
😖 confounded
😣 persevere
😞 disappointed
😓 downcast sweat
😩 weary
😫 tired
🥱 yawning bored
😤 triumph huff
😡 rage
😠 angry
🤬 cursing
😈 smiling_imp devil
💀 skull dead
💩 poop
🤡 clown
👻 ghost
👽 alien
🤖 robot bot
👍 thumbsup +1 yes like
👎 thumbsdown -1 no
👏 clap applause
🙌 raised_hands hooray
🙏 pray thanks please
🤝 handshake deal
👋 wave hello bye
✋ raised_hand stop
👌 ok_hand
✌️ victory peace
🤞 fingers_crossed luck
🤟 love_you
🤘 metal rock
👈 point_left
👉 point_right
👆 point_up
👇 point_down
✊ fist
👊 punch fist_bump
💪 muscle strong
🤷 shrug
🤦 facepalm
🙋 raising_hand me
🙇 bow sorry
💁 tipping_hand
🏃 run
🚶 walk
💃 dancer dance
👀 eyes look
👁️ eye
🧠 brain
👂 ear
👶 baby
👩‍💻 woman_technologist coder
👨‍💻 man_technologist coder
🧑‍💻 technologist coder
🥷 ninja
🧙 mage wizard
🦸 superhero
❤️ heart love red_heart
🧡 orange_heart
💛 yellow_heart
💚 green_heart
💙 blue_heart
💜 purple_heart
🖤 black_heart
🤍 white_heart
💔 broken_heart
💕 two_hearts
💯 100 hundred perfect
💥 boom collision
💫 dizzy
💦 sweat_drops
💨 dash fast
💤 zzz sleep
💬 speech chat
💭 thought
🔥 fire hot lit
✨ sparkles new
⭐ star
🌟 glowing_star
⚡ zap lightning fast
🎉 tada party celebrate hooray
🎊 confetti
🎈 balloon
🎁 gift present
🎂 birthday cake
🏆 trophy win
🥇 first gold
🥈 second silver
🥉 third bronze
🏅 medal
🎯 dart target bullseye
🎲 die game
🎮 video_game
🎵 music note
🎸 guitar
🎤 microphone
🎧 headphones
🎨 art palette
🎬 film clapper
⚽ soccer football
🏀 basketball
🐶 dog
🐱 cat
🐭 mouse
🐰 rabbit
🦊 fox
🐻 bear
🐼 panda
🐸 frog
🐵 monkey
🙈 see_no_evil
🙉 hear_no_evil
🙊 speak_no_evil
🐔 chicken
🐧 penguin
🐦 bird
🦆 duck
🦉 owl
🐝 bee
🐛 bug
🦋 butterfly
🐌 snail slow
🐢 turtle slow
🐍 snake python
🐙 octopus
🐳 whale docker
🐬 dolphin
🐘 elephant
🦄 unicorn
🦀 crab rust
🐟 fish
🌱 seedling
🌳 tree
🌵 cactus
🍀 four_leaf_clover luck
🌸 cherry_blossom
🌹 rose
🌻 sunflower
🌍 earth world
🌙 moon
☀️ sun sunny
⛅ partly_sunny
☁️ cloud
🌧️ rain
⛄ snowman
❄️ snowflake
🌈 rainbow
☔ umbrella
🌊 ocean
🍎 apple
🍌 banana
🍇 grapes
🍓 strawberry
🍋 lemon
🍑 peach
🥑 avocado
🌶️ hot_pepper
🍞 bread
🧀 cheese
🍕 pizza
🍔 burger
🍟 fries
🌮 taco
🍣 sushi
🍜 ramen noodles
🍿 popcorn
🍪 cookie
🍰 cake
🍩 doughnut
🍫 chocolate
🍦 ice_cream
☕ coffee
🍵 tea
🍺 beer
🍻 beers cheers
🥂 clinking_glasses cheers
🍷 wine
🍾 champagne
🚀 rocket ship launch
✈️ airplane flight
🚗 car
🚲 bike bicycle
🚂 train
⛵ boat
🏠 house home
🏢 office
🏖️ beach holiday
⛰️ mountain
⛺ tent
⏰ alarm_clock
⏳ hourglass wait
⌛ hourglass_done
📅 calendar date
💡 bulb idea
🔦 flashlight
💻 laptop computer
🖥️ desktop screen
⌨️ keyboard
🖱️ computer_mouse
📱 phone mobile
☎️ telephone
📷 camera
📺 tv
🔋 battery
🔌 plug
💾 floppy save
📦 package box
📧 email mail
📨 incoming_envelope
📝 memo note
📄 page
📌 pushpin pin
📎 paperclip
📁 folder
📊 bar_chart
📈 chart_up growth
📉 chart_down
📚 books
🔍 mag search
🔗 link
🔒 lock
🔓 unlock
🔑 key
🔨 hammer
🔧 wrench
⚙️ gear settings
🧪 test_tube test
🧹 broom clean
🗑️ wastebasket trash
💰 money
💎 gem
🛠️ tools
🛡️ shield
🧵 thread
🔔 bell
🔕 no_bell mute
📢 loudspeaker announcement
📣 megaphone
🚨 rotating_light alert
🚧 construction wip
🚩 flag
🏁 finish
🏳️‍🌈 rainbow_flag pride
✅ check done white_check_mark
☑️ ballot_check
❌ cross_mark wrong no
❎ cross_box
❓ question
❗ exclamation
⚠️ warning
⛔ no_entry
🚫 prohibited forbidden
🛑 stop_sign stop
♻️ recycle
➕ plus
➖ minus
✔️ tick
🔴 red_circle
🟠 orange_circle
🟡 yellow_circle
🟢 green_circle
🔵 blue_circle
⬆️ arrow_up
⬇️ arrow_down
⬅️ arrow_left
➡️ arrow_right
🔄 repeat refresh
🆗 ok
🆕 new
🆒 cool_button
🔝 top
`;

export const EMOJI: readonly Choice[] = TABLE.trim()
  .split('\n')
  .map((line) => {
    const [emoji = '', name = '', ...words] = line.split(' ');
    return { kind: 'emoji', id: `emoji-${name}`, name, words: words.join(' '), written: emoji };
  });
