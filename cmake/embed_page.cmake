# Puts the page of tuff/diagnostics/page together and writes it as a C++ source, at build time:
#   cmake -D FOLDER=<page> -D SCRIPTS=<names, by comma> -D OUTPUT=<file> -P embed_page.cmake
file(READ "${FOLDER}/page.html" page)
file(READ "${FOLDER}/page.css" style)
set(script "")
string(REPLACE "," ";" names "${SCRIPTS}")
foreach(name IN LISTS names)
  file(READ "${FOLDER}/${name}" text)
  string(APPEND script "${text}")
endforeach()
string(REPLACE "{{style}}" "${style}" page "${page}")
string(REPLACE "{{script}}" "${script}" page "${page}")
file(WRITE "${OUTPUT}.new" "#include \"tuff/diagnostics/page.h\"

TUFF_NAMESPACE_BEGIN
const std::string_view kReportPage = R\"tuff_page(${page})tuff_page\";
TUFF_NAMESPACE_END
")
file(RENAME "${OUTPUT}.new" "${OUTPUT}")
