"""Words of the facts a lead reveals, in three languages: trades, titles, tools, people, times. Data only; levelled forms.

The lists are general vocabulary: what exists, not what anybody in particular has written.
"""

# What a business may be. A trade is the head of a name ("padaria estrela") or of a description ("oficina de motos").
TRADES = tuple(
    """
academia academias acougue adega agencia agropecuaria alfaiataria ambulatorio antiquario armarinho assessoria associacao atacado
atelier atelie autoescola auto-escola auto-eletrica autopecas autocenter avicola banca barbearia bar bistro boate boliche borracharia
boutique brecho buffet bufe burger cabeleireiro cafeteria cafe cantina chacaras chaveiro churrascaria cinema clinica clube colegio
comercio confeitaria confecao confeccao confeccoes consorcio construtora consultoria consultorio contabilidade cooperativa
copiadora corretora costura cozinha creche crossfit curso cursinho cursos dedetizadora delivery depilacao deposito despachante
distribuidora doceria docaria drogaria ecommerce e-commerce editora eletrica eletronica emporio empreiteira escola escolas
escritorio escolinha espetaria estacionamento estetica estamparia estudio farmacia fazenda ferragem ferragens ferro-velho
financeira floricultura fotografia franquia frigorifico funeraria funilaria garagem gesso grafica granja hamburgueria hospital
hospedagem hostel hotel hortifruti idiomas igreja imobiliaria imoveis importadora industria informatica instituto joalheria
laboratorio lanchonete laticinio laticinios lava-jato lavajato lava-rapido lavanderia livraria locadora logistica loja lojinha
lotadora lotofacil loterica madeireira malharia mecanica manutencao marcenaria marmitaria marmoraria mercadinho mercado mercearia
metalurgica minimercado mineradora moveis montadora moda oficina ong otica padaria papelaria panificadora paisagismo
pastelaria peixaria perfumaria petshop pet pizzaria planejados podologia pousada pre-escola produtora provedor psicologia
quitanda quiosque relojoaria refrigeracao restaurante revenda rotisseria salao saude serralheria serigrafia sindicato sitio
software sorveteria startup studio supermercado tabacaria tapecaria tatuagem tattoo tecidos telecom terraplanagem terceirizacao
textil tornearia transportadora transportes turismo usinagem varejo veterinaria viagens vidracaria vinicola viveiro
lanches cargas iluminacao embalagens pneus tintas ferramentas entulhos fretes mudancas lavacar lava-car hortifruti psicologa churrasco festas ingles informatica cosmetico cosmeticos rh
marketing publicidade advocacia engenharia arquitetura odontologia odonto fisioterapia nutricao pilates yoga natacao
seguros eventos decoracao semijoias bijuterias cosmeticos suplementos brinquedos calcados roupas marmitas bolos salgados doces
abarroteria agencia aseguradora autolavado bodega bufete carniceria carpinteria cerrajeria clinica colegio comercio
constructora consultora consultorio contaduria cafeteria cerveceria despacho dentista drogueria estudio fabrica farmacia ferreteria
floreria floristeria fonda fruteria funeraria galeria gimnasio gimnasia guarderia heladeria herreria hostal hosteria hotel imprenta
inmobiliaria inmuebles jardineria jugueteria kiosco kiosko laboratorio lavanderia lavadero libreria licoreria loncheria mueblería
muebleria notaria optica panaderia papeleria pasteleria peluqueria pescaderia pizzeria polleria posada reposteria restaurante
sastreria spa supermercado taller taqueria tacos tienda tiendita tintoreria tlapaleria transporte transportista vidrieria verduleria
veterinaria vinoteca viajes zapateria escuela agencia bienes
agency bakery bar barbershop barber bookstore bookshop boutique brewery brokerage butcher cafe cafeteria caterer catering childcare
chiropractor church clinic clothing cleaning college company-store construction contractor daycare deli dental dealership dentistry
distributor electrician factory farm firm florist foodtruck garage gallery gym hairdresser hardware hotel hostel hvac inn insurance
jewelry kindergarten landscaping laundry laundromat law limousine locksmith logistics marina mechanic moving nonprofit nursery
nursing optician orchard painting pharmacy photography physiotherapy pizzeria plumbing practice preschool printing pub
ranch realty restaurant retailer roofing salon school shop showroom spa startup store studio supermarket tailor tavern
therapy towing trucking tutoring upholstery vet veterinary vineyard warehouse wholesaler winery workshop solar
abrigo acabamentos alfajores apiario apicultura aquarismo artesanato asilo aviario bazar berçario bercario bicicletaria biblioteca camping canil cantina cartorio casamentos
cerimonial cervejaria cestas chocolateria churros clinica-escola cobrança coral coworking dentaria desentupidora diagnosticos doutrinario drinks energia-solar escolinhas
esquadrias estofados eventos fisio floricultura fundacao gelateria hamburgueres haras hotelzinho hospedaria jardinagem kumon lavajatos limpeza maternal museu mudancas musica
optometria orfanato orquestra ortodontia paroquia passeios pesque-pague piscicultura piscinas pizzas quentinhas radio rancho reciclagem reformas salgaderia saneantes
seguradora sementes serigrafia sex-shop sushi suinocultura tapiocaria teatro telhados templo terreiro toldos torrefacao trattoria uniformes usina veleiros vidros zoologico
albergue apicultura autolavado azulejos banquetes barberia bicicleteria biblioteca cabanas cafetal camping cartoneria cerrajeria chocolateria churreria clinica cremeria criadero
diseno encomiendas estacion-de-servicio estetica finca fletes fontaneria fumigacion fundacion ganaderia granja huerta iglesia ladrilleria libreria mariscos mecanico montajes
mueble mudanzas museo notaria ortodoncia parroquia pasteles plomeria pollos quesos quinta radio rancho refaccionaria remodelaciones rotiseria serigrafia tapiceria teatro
templo tortilleria uniformes vivero
abattoir airline animal-shelter apiary arcade architecture auctions ballet bistro boatyard bridal butchery campsite campground carpentry cars catering cattle charity church clinic cobbler
conveyancing coworking crossfit dairy deli dojo excavation fencing fishmonger flooring foundry funeral-home glazing greenhouse greengrocer grocer haulage hospice joinery kennel kennels
kitchens library lodge masonry mill museum nail-salon newsagent nursery optometry parish pest-control piano-lessons pool-service pottery quarry removals sawmill scaffolding
shelter signage stables surveying tannery tattooing taxidermy tiling tours vets welding windows wineries yard
""".split()
) + tuple(  # of several words
    "pet shop,law firm,dental practice,charity shop,food bank,food truck,nail salon,beauty salon,funeral home,animal shelter,kayak tours,boat tours,wedding photography,wedding planning,pest control,pool service,"
    "car wash,body shop,repair shop,auto shop,coffee shop,bike shop,flower shop,barber shop,print shop,machine shop,dance studio,yoga studio,music school,driving school,language school,real estate,interior design,property management,"
    "taller mecanico,salon de belleza,salon de fiestas,finca de cafe,radio comunitaria,bienes raices,escuela de manejo,escuela de ingles,escuela de danza,autoescuela,casa de cambio,estacion de servicio,centro de copiado,agencia de viajes,"
    "casa de repouso,casa de festas,lava jato,auto center,auto eletrica,ferro velho,escola de idiomas,escola de musica,escola de ingles,escola de danca,energia solar,administradora de condominios,salao de beleza,salao de festas,"
    "material de construcao,materiais de construcao,loja de roupas,oficina mecanica,clinica odontologica,clinica veterinaria,clinica de estetica,banho e tosa,moveis planejados,moda feminina,moda infantil,"
    "fotografia de casamento,assistencia tecnica,producao de video,edicao de video,food service".split(",")
)
# Trades too broad to be a line of business by themselves when more follows ("loja de tintas" is said better by "tintas").
BROAD = frozenset(
    "loja lojinha tienda tiendita store shop comercio firm company agencia agency escritorio despacho estudio studio "
    "fabrica factory industria instituto associacao deposito mercado escola pet saude moda bar".split()
)
# Who decides besides the lead, or instead.
OTHERS = (
    r"(?:soci[oa]s?|sociedade|espos[oa]s?|marido|mulher|mujer|noiv[oa]|namorad[oa]|companheir[oa]|pareja|novi[oa]|"
    r"chef[ea]s?|jef[ea]s?|patrao|patroa|patron|diretor[ae]?s?|diretoria|direcao|director[ae]?s?|direccion|directiv[oa]s?|conselho|consejo|matriz|mantenedora|"
    r"financeiro|juridico|compras|comite|assembleia|asamblea|sindic[oa]|gerente|gerencia|supervisor[a]?|coordenador[a]?|"
    r"don[oa]s?|duen[oa]s?|proprietari[oa]s?|pai|mae|pais|padres?|madre|mama|papa|irma|irmao|irmaos|irmas|herman[oa]s?|filh[oa]s?|hij[oa]s?|"
    r"gestor[a]?|reitoria|rectoria|juiz|juez|franqueadora|franquiadora|mainha|painho|prefeitura|secretaria de \w+|associacao|asociacion|cooperativa|congregacao|familia|investidor(?:es)?|inversor(?:es)?|contador[a]?|ceo|cfo|cto|coo|presidente|presidencia|holding|franqueador[a]?|"
    r"wife|husband|spouse|partners?|business partner|co-?founders?|boss|board|manager|director|owners?|committee|finance|legal|"
    r"head office|headquarters|hq|parents?|dad|mom|mum|father|mother|brothers?|sisters?|son|daughter|investors?|procurement|management|leadership|council)"
)
# Places of work a question may name as the lead's ("quantos atendem no pet shop?").
WORKPLACES = (
    r"(?:academia|acougue|administradora|agencia de viagens|autoescola|barbearia|borracharia|buffet|casa de repouso|clinica|colegio|condominio|confeitaria|construtora|consultorio|corretora|"
    r"creche|escola|escritorio de (?:advocacia|contabilidade|arquitetura)|estamparia|farmacia|fazenda|floricultura|grafica|hamburgueria|hospital|hotel|igreja|imobiliaria|lanchonete|lavanderia|"
    r"livraria|marcenaria|marmoraria|mercadinho|metalurgica|oficina|otica|padaria|papelaria|pet ?shop|petshop|pizzaria|pousada|restaurante|salao|serralheria|sorveteria|supermercado|transportadora|vidracaria|"
    r"carniceria|carpinteria|colegio|constructora|escuela|farmacia|ferreteria|floreria|gimnasio|guarderia|hacienda|hostal|inmobiliaria|lavanderia|libreria|panaderia|peluqueria|pizzeria|taller|veterinaria|"
    r"bakery|barber ?shop|brewery|church|clinic|coffee shop|daycare|dental (?:office|practice)|farm|garage|gym|hair salon|hotel|law (?:firm|office)|nursery|pharmacy|practice|restaurant|salon|school|warehouse|workshop)"
)
# Departments people say they are of ("Ana do financeiro").
DEPARTMENTS = (
    r"(?:rh|ti|dp|recursos humanos|departamento pessoal|financeiro|compras|marketing|comercial|vendas|juridico|logistica|suprimentos|administrativo|almoxarifado|expedicao|producao|manutencao|cobranca|faturamento|"
    r"atendimento|operacoes|qualidade|controladoria|sac|secretaria|recepcao|finanzas|ventas|compras|contabilidad|sistemas|operaciones|administracion|hr|it|procurement|purchasing|finance|operations|ops|sales|accounting)"
)
# Titles a person has. More may follow ("gerente de frota").
TITLES = (
    r"(?:sub-?|vice-?|ex-?)?(?:mantenedor[a]?|gestor[a]?|orientador[a]?|tutor[a]?|instrutor[a]?|educador[a]?|bibliotecari[oa]|almoxarife|controller|pregoeir[oa]|maitre|gastronom[oa]|biomedic[oa]|fonoaudiolog[oa]|terapeuta(?: ocupacional)?|quiropraxista|podolog[oa]|massoterapeuta|doula|parteira|"
    r"agronom[oa]|zootecnista|biolog[oa]|quimic[oa]|geolog[oa]|topograf[oa]|economista|estatistic[oa]|tradutor[a]?|interprete|redator[a]?|editor[a]?|produtor[a]?|ilustrador[a]?|music[oa]|dj|cerimonialista|decorador[a]?|paisagista|jardineir[oa]|"
    r"padeir[oa]|acougueir[oa]|garcom|garconete|barista|churrasqueir[oa]|bolo?eira|doceir[oa]|salgadeir[oa]|artesa|artesao|serralheir[oa]|vidraceir[oa]|pintor[a]?|gesseir[oa]|azulejista|soldador[a]?|torneir[oa]|ferramenteir[oa]|funileir[oa]|borracheir[oa]|"
    r"taxista|motoboy|entregador[a]?|piloto|vigilante|porteir[oa]|caseir[oa]|diarista|cuidador[a]?|baba|camareir[oa]|governanta|vereador[a]?|escriva[o]?|delegad[oa]|juiz[a]?|promotor[a]?|tabelia[o]?|perit[oa]|leiloeir[oa]|bombeir[oa]|militar|diacon[oa]|padre|reverend[oa]|"
    r"gerente|diretor[a]?|coordenador[a]?|supervisor[a]?|analista|assistente|auxiliar|encarregad[oa]|comprador[a]?|"
    r"vendedor[a]?|consultor[a]?|representante|secretari[oa]|recepcionista|administrador[a]?|estagiari[oa]|atendente|"
    r"don[oa]|proprietari[oa]|soci[oa](?:[- ](?:administrador[a]?|fundador[a]?|gerente|proprietari[oa]))?|fundador[a]?|cofundador[a]?|empresari[oa]|empreendedor[a]?|"
    r"sindic[oa](?: profissional)?|presidente|vice-presidente|tesoureir[oa]|"
    r"engenheir[oa]|arquitet[oa]|advogad[oa]|contador[a]?|medic[oa]|dentista|psicolog[oa]|nutricionista|fisioterapeuta|veterinari[oa]|"
    r"enfermeir[oa]|farmaceutic[oa]|professor[a]?|pedagog[oa]|diretora pedagogica|corretor[a]?|despachante|designer|desenvolvedor[a]?|programador[a]?|dev|"
    r"jornalista|fotograf[oa]|manicure|cabeleireir[oa]|esteticista|barbeir[oa]|eletricista|encanador|pedreiro|mecanico|motorista|"
    r"caminhoneir[oa]|marceneir[oa]|confeiteir[oa]|costureir[oa]|cozinheir[oa]|chef|personal(?: trainer)?|autonom[oa]|freelancer|"
    r"agricultor[a]?|produtor[a]? rural|fazendeir[oa]|bancari[oa]|servidor[a]? public[oa]|policial|aposentad[oa]|estudante|"
    r"administrativ[oa]|financeiro|comercial|tecnic[oa]|zelador[a]?|pastor|influencer|social media|gestor[a]?|lider|"
    r"gerenta|director[a]?|coordinador[a]?|jef[ea]|encargad[oa]|duen[oa]|propietari[oa]|socia?|abogad[oa]|ingenier[oa]|arquitect[oa]|"
    r"odontolog[oa]|maestr[oa]|profesor[a]?|emplead[oa]|asistente|practicante|pasante|becari[oa]|recepcionista|contador[a]?|"
    r"peluquer[oa]|mecanic[oa]|electricista|chofer|enfermer[oa]|disenador[a]?|periodista|responsable|administrador[a]?|"
    r"owner|co-?owner|founder|co-?founder|ceo|cfo|cto|coo|cmo|vp|president|partner|director|manager|supervisor|coordinator|lead|head|"
    r"assistant|receptionist|secretary|intern|accountant|lawyer|attorney|engineer|architect|doctor|dentist|nurse|teacher|"
    r"principal|broker|realtor|consultant|analyst|developer|designer|buyer|bookkeeper|office manager|salesperson|sales rep|"
    r"technician|contractor|electrician|plumber|mechanic|driver|trainer|therapist|freelancer|journalist|photographer|student|landlord|superintendent)"
)
TITLE_MORE = (
    r"(?:\s+(?:geral|comercial|financeir[oa]|administrativ[oa]|executiv[oa]|operacional|industrial|regional|tecnic[oa]|fiscal|contabil|"
    r"pedagogic[oa]|clinic[oa]|senior|junior|pleno|general|comercial|administrativ[oa]|profesional|profissional|backend|frontend|fullstack|"
    r"tributarista|trabalhista|civil|mecanic[oa]|eletricista|unic[oa]))?"
    r"(?:\s+(?:de|do|da|del|of|for|d[oa]s)\s+(?!uma?\b|un\b|una\b|the\b|a\b|meu\b|minha\b)[a-z]+)?"
)
# What work is done with. `(?:s|es)?` and small forms are read as well.
TOOLS = (
    r"(?:planilhas?(?: (?:d[oe] )?(?:google|excel))?|planilla(?: de (?:excel|google))?s?|hojas? de calculo|hojas? de excel|spreadsheets?|excel(?:zinho|zao)?|google (?:sheets|agenda|calendar|forms|docs|drive)|sheets|"
    r"cadern(?:o|os|inho|eta)|caderno de capa dura|cuadern(?:o|ito)|libretas?|libretita|notebook(?= paper)|note ?pads?|bloco de notas|bloquinh?o|bloco|bloc de notas|"
    r"agenda(?: (?:de papel|d[oe] (?:celular|google)|fisica|do google|en papel|no google|de mesa|telefonica|impressa))|agendas? de papel|agendinha|paper (?:calendar|diary|planner|forms?|book|log|sheets?|tickets?)|planner|diary|"
    r"papel(?:zinho|eta|ito)?(?: de pao)?|papelito|pen and paper|pencil and paper|paper|papel y lapiz|papel e caneta|"
    r"quadro (?:branco|negro|magnetico|de avisos)|lousa|pizarra|pizarron|whiteboard|sticky notes|post-?its?|prancheta|clipboard|mural|"
    r"fichas?(?: de papel|s em papel)?|fichario|fichero|index cards?|comandas?(?: de papel)?|talao(?: de pedidos?)?|taloes|recibos?|livro(?: de (?:ponto|caixa|registro|ocorrencias))?|livro[- ]caixa|libro de|log ?book|ledger|"
    r"formularios?|calendario(?: de (?:parede|mesa))?|extratos?|listas?(?: de papel| impressa)?|tabela(?: impressa)?|pasta suspensa|calculadora|calculator|maquininha|caixa registradora|caja registradora|cash register|relogio de ponto|livro de ponto|"
    r"whats(?:app)?(?: business)?|whats|zap(?:zap)?|wpp|wasap|wasapp|telegram|instagram|insta|direct|messenger|e-?mail|email|outlook|gmail|correo|"
    r"trello|notion|asana|monday|clickup|airtable|slack|jira|basecamp|evernote|google keep|access|word|delphi|"
    r"bling|omie|tiny|conta ?azul|nibo|granatum|sankhya|totvs|protheus|sap|senior|dominio|alterdata|questor|contmatic|olist|nuvemshop|shopify|woocommerce|tray|vtex|"
    r"pipedrive|hubspot|salesforce|rd ?station|rd|zoho|agendor|ploomes|piperun|moskit|kommo|bitrix(?:24)?|freshsales|zendesk|intercom|activecampaign|mailchimp|"
    r"ifood|rappi|uber eats|booking|airbnb|decolar|mercado livre|mercado libre|amazon|shopee|magalu|olx|zap imoveis|vivareal|quinto ?andar|"
    r"simples agenda|calendly|doctoralia|feegow|iclinic|simplespratico|trinks|booksy|fresha|mindbody|vagaro|square|toast|clover|stripe|paypal|"
    r"quickbooks|xero|freshbooks|wave|sage|netsuite|gusto|alegra|siigo|contpaqi|aspel|bind|odoo|contifico|defontana|nubox|loggro|holded|facturama|colppy|tango|"
    r"promob|autocad|astrea|projuris|sponte|jetbov|aegro|duolingo|babbel|strava|fatsecret|canva|chatgpt|google maps|waze|youtube|"
    r"porto(?: seguro)?|azul seguros|bradesco|itau|unimed|amil|hapvida|vivo|claro|oi|tim|net|sky|enel|cemig|cpfl|copel|movistar|telcel|izzi|totalplay|telmex|at&t|verizon|comcast|spectrum|t-mobile|geico|allstate|"
    r"dentrix|dragon|linx|hinova|tasy|gdoor|hiper|saipos|anota ai|goomer|consumer|superlogica|group software|sienge|vista soft|jetimob|kenlo|tecnofit|nextfit|w12|evo|classapp|escolaweb|simplo|bsale|laudus|buk|talana|square up|jobber|housecall pro|servicetitan|buildium|appfolio|clio|mycase|lightspeed|planning center|"
    r"app d[oe] \w+|aplicativo d[oe] \w+|sistema propri[oa]|sistema interno|homegrown system|in-house system)"
)
# Things and helpers that are what is used today only where somebody says so.
HOUSE_TOOLS = (
    r"(?:"
    r"chuveiro eletrico|gas (?:de botijao|encanado|natural)|botij(?:ao|oes)(?: de gas)?|garrafas? de gas|bombonas?(?: de butano)?|gas boiler|wood stove|space heaters?|calefon(?: a lena)?|estufa a (?:lena|gas)|fogao a lena|aquecedor(?: a gas)?|poco(?: artesiano)?|"
    r"lentes? de contat?cto|lentes? de contato|reading glasses|dentadura|aparelho movel|vans?(?: escolar)?|motoboys?|diaristas?|faxineira|freelancers?|freela|poupanca|consorcio|planos? de saude|plano odontologico|seguro de vida|atacadao|"
    r"google forms|wetransfer|we transfer|dropbox|one ?drive|drive|dms?|prints?|bulletin|cash tin|cash box|bank transfer|site d[aoe] \w+|quadro de giz(?: da \w+)?|giz|fotocopias?|xerox|carbon[- ]copy slips|slips|radio(?:s| amador)?|walkie[- ]talkies?|"
    r"telefone fixo|telefono fijo|landline|grupos? de whats(?:app)?|grupo de zap|whatsapp groups?|maquina de cafe|tanque|gerador|ventilador(?:es)?|ar condicionado|onibus|bicicleta"
    r")"
)
GENERIC_TOOLS = (
    r"(?:sistemas?|programas?|programinha|softwares?|aplicativos?|apps?|crms?|erps?|plataformas?|ferramentas?|herramientas?|sistemita|tools?|system|"
    r"provedor|operadora|proveedor|provider|fornecedor|supplier|vendor|carrier|plano|seguro|convenio|contador|contadora|rastreador|banco)"
)
# Who may work in a team.
STAFF = (
    r"(?:pessoas?|gente|func[a-z]*|colaborador(?:es|as?)?|empregad[oa]s?|atendentes?|vendedor(?:es|as?)?|corretor(?:es|as?)?|motoristas?|motoboys?|entregador(?:es|as?)?|"
    r"tecnic[oa]s?|mecanic[oa]s?|dentistas?|medic[oa]s?|veterinari[oa]s?|professor(?:es|as?)?|instrutor(?:es|as?)?|coachs?|coaches|advogad[oa]s?|contador(?:es|as?)?|"
    r"recepcionistas?|secretari[oa]s?|garco(?:m|ns)|cozinheir[oa]s?|barbeir[oa]s?|cabeleireir[oa]s?|cabelereir[oa]s?|manicures?|esteticistas?|socios|consultor(?:es|as?)?|"
    r"engenheir[oa]s?|pedreiros?|ajudantes?|auxiliar(?:es)?|assistentes?|estagiari[oa]s?|funcas|voluntari[oa]s?|operador(?:es|as?)?|analistas?|sdrs?|closers?|devs?|programador(?:es|as?)?|"
    r"usuari[oa]s?|costureir[oa]s?|padeiros?|residentes?|profissionais|profissional|terapeutas?|enfermeir[oa]s?|caixas?|fiscais|meninos|meninas|rapazes|mocas|tosador(?:es|as?)?|marceneiros?|tatuador(?:es|as?)?|monitor(?:es|as?)?|pedreiros|pintor(?:es|as?)?|eletricistas?|soldador(?:es)?|fixos|freelas?|porteiros?|faxineir[oa]s?|diaristas|cuidador(?:es|as?)?|babas|psicolog[oa]s|fisioterapeutas?|nutricionistas?|personal trainers|garcons?|chapeiros?|estoquistas|representantes|compradores|arquitet[oa]s?|designers?|muchach[oa]s|chic[oa]s|profesionales|peluquer[oa]s?|obreros|albaniles|carpinteros|panaderos|chofer|guardias|vets?|crew|lads|fellas|carpenters?|painters?|electricians?|plumbers?|roofers?|groomers?|bakers?|stylists?|"
    r"personas?|emplead[oa]s?|trabajador(?:es|as?)?|vendedor(?:es|as?)?|repartidor(?:es)?|choferes|conductores|maestr[oa]s?|profesor(?:es|as?)?|doctor(?:es|as?)|abogad[oa]s?|meser[oa]s?|cociner[oa]s?|asesor(?:es|as?)?|agentes?|operari[oa]s?|instructor(?:es|as)?|"
    r"people|employees?|staff(?: members)?|workers?|users?|seats?|reps?|agents?|drivers?|technicians?|techs|teachers?|nurses?|doctors?|dentists?|lawyers?|attorneys?|stylists?|barbers?|trainers?|cooks?|waiters?|servers?|clerks?|guys|of us|folks|hands|team members|members of staff|salespeople|engineers?|developers?|instructors?|volunteers?|hygienists?|cleaners?|mechanics?|installers?)"
)
KIN = (
    r"(?:irma|irmao|irmas|irmaos|filh[oa]s?|primo|prima|sobrinh[oa]|espos[oa]|marido|mulher|mae|pai|soci[oa]|cunhad[oa]|nora|genro|namorad[oa]|noiv[oa]|ti[oa]|"
    r"hij[oa]s?|herman[oa]s?|mujer|mama|papa|padre|madre|prim[oa]|sobrin[oa]|cunad[oa]|nuera|yerno|novi[oa]|wife|husband|brother|sister|son|daughter|mom|mum|dad|partner|cousin|nephew|niece)"
)
# First names, so that a name written small is still one.
FIRST_NAMES = frozenset(
    """
adriana adriano aline alessandra alexandre alice aluisio amanda ana anderson andre andrea andreia angela antonio antonia arthur artur augusto
barbara beatriz benedito bernardo bia bianca breno bruna bruno caio camila carla carlos carolina carol cassia catarina cecilia celia celso cesar
cida clara clarice claudia claudio cleber cleide cristiane cristina cristiano daiane daniel daniela danilo davi debora denise diana diego dirceu
douglas duda edna edson eduarda eduardo elaine elias eliane elisa elza emerson erica erick ester eva fabiana fabiano fabio fatima felipe fernanda
fernando flavia flavio francisca francisco franciele gabi gabriel gabriela geraldo gilberto gilson giovana giovanna gisele graca guilherme gustavo
heitor helena helio henrique hugo igor ines iara irene isabel isabela isadora ivan ivone jader janaina jaqueline jean jessica joana joao joaquim
joelma jonas jorge jose josefa josue juliana juliano julia julio karina katia kelly lara larissa laura leandro leila leo leonardo leticia lia
lidia lilian lorena lourdes luan lucas lucia luciana luciano luis luiz luiza luisa lurdes magali manoel manuel marcela marcelo marcia marcio marcos
maria mariana marina mario marlene marta mateus matheus mauricio mauro maxwell mayara michele miguel milena milton mirela moacir monica murilo
nadia natalia neide nelson neusa nilza norma olga olivia osvaldo otavio pablo pamela patricia paula paulo pedro priscila rafael rafaela raimundo
raquel raul rebeca regina regiane reinaldo renan renata renato ricardo rita roberta roberto rodrigo rogerio romulo ronaldo rosa rosana rosangela
rosi rubens sabrina samuel samanta sandra sandro sara sebastiao sergio severino sheila silvana silvia silvio simone solange sonia sueli suzana
tadeu tais tatiana tatiane telma teresa tereza thais thiago tiago tereza valdir valeria vanessa vera vicente victor vinicius vitor vitoria viviane
wagner waldir walter wanda wellington wesley william wilson yara yuri zelia zuleica
agustin alejandra alejandro alfonso alvaro andres angel araceli armando arturo belen benjamin blanca camilo carmen catalina consuelo cristobal
dolores elena emilia emilio enrique esteban eugenia facundo federico felix florencia gonzalo graciela guadalupe guillermo hector hernan hilda
ignacio inmaculada ismael itzel javier jimena joaquin josefina juan juana julian leticia lorenzo lucrecia luisa lupita magdalena malena manuela
marisol martin matias mauricio mercedes micaela miriam nancy nicolas noemi nuria octavio oscar paco paloma pepe pilar ramon ricardo rocio rodolfo rosario
ruben salvador santiago sebastian sergio silvina soledad sofia susana teodoro tomas valentina veronica vicente victoria ximena yolanda
aaron abby adam alan albert alex alexander alison amy andrew angela anna anthony ashley barbara ben benjamin beth betty bill bob brad brandon brenda
brian caleb carl carol catherine charles charlotte chris christine christopher claire colin craig cynthia daisy dan dave david deborah dennis derek
diane donald donna dorothy doug edward eleanor elizabeth ella ellen emily emma eric ethan eve evelyn fiona frank gary george gina grace graham greg
hannah harold harry heather helen henry holly ian isaac jack jackie jacob jake james jane janet jason jeff jeffrey jennifer jeremy jerry jessica jill
jim jimmy joan joe john jon jonathan joseph josh joshua joyce judith judy julie justin karen kate katherine kathy keith kelly ken kenneth kevin kim
kyle larry lauren laurie leslie linda lisa liz louise lucy luke lynn maggie margaret mark martha mary matt matthew megan melissa michael michelle
mike molly monica nancy naomi natalie nate nathan neil nick nicole noah olivia owen pam pamela pat patrick paul peggy peter phil philip rachel ralph
ray rebecca richard rick rob robert robin roger ron rose ross roy russell ruth ryan sally sam samantha sandy sarah scott sean seth shannon sharon
sheila shirley simon sophie stacy stanley stella stephanie stephen steve steven stuart sue susan suzanne tammy ted teresa terry theresa thomas tim
timothy tina todd tom tony tracy travis tyler vicky victoria vincent violet walter wendy will zach zoe
""".split()
)
# The words a time is said in. `CORE` make one; `LINKS` may stand between or before them.
TIME_CORE = (
    r"(?:segundas?|tercas?|quartas?|quintas?|sextas?|sabados?|domingos?|seg|ter|qua|qui|sex|sab|dom|lunes|martes|miercoles|jueves|viernes|"
    r"mondays?|tuesdays?|wednesdays?|thursdays?|fridays?|saturdays?|sundays?|mon|tues?|wed|thurs?|thu|fri|"
    r"janeiro|fevereiro|marco|abril|maio|junho|julho|agosto|setembro|outubro|novembro|dezembro|enero|febrero|marzo|mayo|junio|julio|"
    r"septiembre|setiembre|octubre|noviembre|diciembre|january|february|march|april|june|july|august|september|october|november|december|"
    r"jan|fev|mar|abr|jun|jul|ago|set|out|nov|dez|feb|aug|sept|oct|dec|q[1-4]|"
    r"hoje|hj|amanha|amnh|ontem|hoy|manana|pasado manana|ayer|today|tonight|tomorrow|yesterday|agora|ahora|now|ya|ja|"
    r"manhas?|tardes?|noites?|noches?|mananas?|mornings?|afternoons?|evenings?|nights?|noon|lunch ?time|lunch|almoco|almuerzo|comida|mediodia|meio-dia|madrugada|expediente|"
    r"semanas?|semaninhas?|fds|fim de semana|fins de semana|fin de semana|finde|weekends?|weeks?|weekdays?|dias?|diazinhos|days?|mes|meses|months?|anos?|years?|quinzena|quincena|"
    r"trimestres?|semestres?|quarters?|bimestre|horas?|horinhas?|hs|hrs|h|hours?|minutos?|min|minutes?|am|pm|o'clock|"
    r"natal|navidad|christmas|xmas|carnaval|pascoa|pascua|semana santa|easter|ferias|vacaciones|holidays?|ano novo|new year'?s?|black friday|verao|inverno|outono|primavera|verano|invierno|otono|"
    r"summer|winter|spring|fall|autumn|safra|colheita|cosecha|harvest|temporada|season|feriado|feriadao|reforma|inauguracao|obra|mudanca|volta as aulas|thanksgiving|dia das maes|dia dos pais|thirteenth|decimo terceiro|13o|asap|cedo|temprano|early|cedinho)"
)
TIME_LINKS = (
    r"(?:de|da|do|das|dos|del|la|el|los|las|a|as|o|os|ao|aos|em|no|na|nos|nas|en|por|pela|pelas|pelo|para|pra|pro|p|at|on|in|by|the|of|to|until|til|till|"
    r"ate|hasta|antes|depois|dps|apos|despues|before|after|from|desde|entre|between|between|around|about|e|y|ou|or|u|and|"
    r"que vem|q vem|que viene|proxim[oa]s?|prox|next|this|these|essa|esse|essas|esta|este|estas|desse|dessa|deste|desta|nessa|nesse|nesta|neste|dessa|ess[ae]|mesm[oa]|same|"
    r"fim|final|finzinho|fin|finales|inicio|comeco|meados|meio|mediados|end|start|beginning|middle|mid|late|ainda|logo|so|only|solo|mais|mas|menos|within|max|maximo|no maximo|"
    r"primeir[oa]|segund[oa]|ultim[oa]|first|second|last|primer[oa]?|uns|umas|unos|unas|algun[oas]*|alguns|algumas|some|couple of|few|qualquer|cualquier|any|todo|toda|every|all|"
    r"la pra|lá pra|partir|daqui|dentro|tipo|tarde|later|cedo|bem|meia|media|half|past|quarter|quarto|cuarto|seguinte|siguiente|following|outra|otra|another|uteis|habiles|business|working|mas tardar|agora|vem|mesmo horario)"
)
